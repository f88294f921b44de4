"""A small network from scratch, trained in a moment. In: nothing. Out: a run's folder. Next: test_pruned.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart

BLOCKS = [
    {"filters": 16, "pooling": "max", "pool_size": 2},
    {"filters": 32, "pooling": "max", "pool_size": 2},
    {"filters": 32, "pooling": "none"},
]


def draw(folder: Path, *, each: int, seed: int, classes: tuple[str, ...] = ("bar", "dot")) -> Path:
    """Noise with a bright bar or a bright dot somewhere in it."""
    chance = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            pixels = chance.integers(0, 120, (16, 16, 3), dtype=np.uint8)
            x, y = chance.integers(2, 12, 2)
            pixels[y : y + 2, slice(1, 15) if name == "bar" else slice(x, x + 2)] = 250
            Image.fromarray(pixels).save(folder / name / f"{seed}-{number}.png")
    return folder


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 pictures of two classes."""
    return draw(tmp_path_factory.mktemp("shapes") / "pictures", each=48, seed=0)


@pytest.fixture(scope="session")
def small_run(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of three blocks, trained for some epochs."""
    settings = {
        "network": {"size": 16, "blocks": BLOCKS},
        "loop": {"epochs": 6, "workers": 0, "batch_size": 16},
        "augment": {"preset": "none"},
    }
    result = tellapart.train(
        shapes, out=tmp_path_factory.mktemp("runs"), strategy="scratch", device="cpu", settings=settings, report=False
    )
    return result.run
