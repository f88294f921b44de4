"""What the tests of explanations share. In: networks.py. Out: the module, a model, pictures."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tellapart.bundle import Manifest


@pytest.fixture(scope="session")
def networks() -> ModuleType:
    """networks.py."""
    spec = importlib.util.spec_from_file_location("explained_networks", Path(__file__).with_name("networks.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["explained_networks"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def colour_model(networks: ModuleType, tmp_path_factory: pytest.TempPathFactory, tiny_manifest: Manifest) -> bytes:
    """The logit of each class is ten times the mean of its colour, by way of a convolution and a map of 4 x 4."""
    path = tmp_path_factory.mktemp("colours") / "network.onnx"
    whole: bytes = networks.whole(networks.colour_map_network(path, networks.averaged), tiny_manifest)
    return whole


@pytest.fixture
def half_red() -> NDArray[np.uint8]:
    """A dark picture with a bright red square at its lower right, and a weaker red one beside it: uint8 [16, 16, 3]."""
    image = np.zeros((16, 16, 3), dtype=np.uint8)
    image[12:, 12:, 0] = 250
    image[12:, 8:12, 0] = 125
    return image


@pytest.fixture(scope="session")
def photograph() -> NDArray[np.uint8]:
    """A real photograph, uint8 [427, 640, 3]: scikit-learn's flower."""
    from sklearn.datasets import load_sample_image

    return np.asarray(Image.fromarray(load_sample_image("flower.jpg")).convert("RGB"))
