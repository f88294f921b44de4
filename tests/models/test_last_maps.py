"""What is put on the last maps of a network. In: timm's networks without numbers. Out: Keras' counts, vectors, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import timm
import torch
from torch import nn

from tellapart.errors import BackboneError
from tellapart.models.build import build_pretrained, sketch_pretrained
from tellapart.models.export import export_backbone
from tellapart.models.last_maps import keras_count, pool
from tellapart.models.weights import load_backbone
from tellapart.preprocessing import Preprocessing
from tellapart.runtime import Session

# `model.count_params()` of keras.applications with include_top=False.
_KERAS = {
    "vgg16": 14_714_688,
    "mobilenetv2_100": 2_257_984,
    "densenet121": 7_037_504,
    "legacy_xception": 20_861_480,
}
# Where timm's network differs by a known number of parameters: its convolutions have no bias, one less a filter; its batch norms
# have a scale, one more a channel.
_APART = {"resnet50": (23_587_712, -26_560), "inception_v3": (21_802_784, 17_216)}


@pytest.mark.parametrize("name", _KERAS)
def test_without_its_head_a_network_has_as_many_parameters_as_keras(name: str) -> None:
    assert keras_count(sketch_pretrained(name, class_count=5, pooling="average").trunk) == _KERAS[name]


@pytest.mark.parametrize("name", _APART)
def test_what_timm_has_otherwise_is_counted_for(name: str) -> None:
    keras, apart = _APART[name]
    network = sketch_pretrained(name, class_count=5, pooling="average").trunk
    assert keras_count(network) == keras + apart
    norms = sum(module.num_features for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    assert abs(apart) == norms  # one convolution before each norm


@pytest.mark.parametrize(("pooling", "length"), [("own", 4096), ("average", 512), ("max", 512), ("flatten", 25088)])
def test_vgg_gives_512_maps_of_7_by_7(pooling: Any, length: int) -> None:
    network = sketch_pretrained("vgg16", class_count=5, pooling=pooling)
    assert network.embedding == network.classifier.in_features == length
    assert any(name.startswith("pre_logits") for name, _ in network.trunk.named_parameters()) == (pooling == "own")


def test_maps_are_pooled_as_by_hand() -> None:
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [-4.0, 0.0]]]])
    trunk = nn.Identity()
    assert pool(trunk, maps, "average").tolist() == [[3.0, -1.0]]
    assert pool(trunk, maps, "max").tolist() == [[6.0, 0.0]]
    assert pool(trunk, maps, "flatten").tolist() == [[1.0, 2.0, 3.0, 6.0, 0.0, 0.0, -4.0, 0.0]]
    last: Any = nn.Identity()
    last.output_fmt = "NHWC"
    assert pool(last, maps.permute(0, 2, 3, 1), "average").tolist() == [[3.0, -1.0]]


def test_tokens_are_no_maps() -> None:
    with pytest.raises(BackboneError, match="pooling is average, but this network gives 2 axes a picture, no maps"):
        sketch_pretrained("vit_tiny_patch16_224", class_count=2, pooling="average")


def test_the_exported_network_gives_what_is_put_on_the_maps(tmp_path: Path) -> None:
    """In: weights of the convolutions alone. Out: the file's vectors, torch's, the network that is trained."""
    torch.manual_seed(0)
    whole: Any = timm.create_model("test_vgg", num_classes=0).eval() if timm.is_model("test_vgg") else None
    name = "test_vgg" if whole is not None else "test_resnet"
    whole = whole or timm.create_model(name, num_classes=0).eval()
    weights = tmp_path / "notop.safetensors"
    kept = {key: value for key, value in whole.state_dict().items() if not key.startswith("pre_logits.")}
    safetensors.torch.save_file(kept, weights)
    export_backbone(name, tmp_path, weights=str(weights), size=64, pooling="max")
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    (found,) = Session(tmp_path / "network.onnx", source="it").run(images, ["embedding"])
    loaded = load_backbone(name, weights, "max")
    preprocessing = Preprocessing(size=64, mean=loaded.preprocessing.mean, std=loaded.preprocessing.std)
    network = build_pretrained(
        name, weights=tmp_path / "weights.safetensors", preprocessing=preprocessing, class_count=2, pooling="max"
    ).eval()
    with torch.inference_mode():
        maps = whole.forward_features(network.normalise(torch.from_numpy(images)))
        np.testing.assert_allclose(
            network.embed(torch.from_numpy(images)).numpy(), maps.amax((2, 3)).numpy(), atol=1e-5
        )
    np.testing.assert_allclose(found, maps.amax((2, 3)).numpy(), rtol=1e-3, atol=1e-4)
