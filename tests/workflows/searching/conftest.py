"""What tests of a search share. In: plain pictures, a tiny network. Out: a Bench, studies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.dataset import gather
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.engine import SHIPPED
from tellapart.reporter import Silent
from tellapart.tasks.table import TASKS
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.searching.bench import Bench

FACTS: dict[str, Any] = {
    "space": {"probe.strength": {"low": 1e-4, "high": 1.0, "log": True}, "class_weights": ["none", "balanced"]},
    "how": "tpe",
    "pruner": "median",
    "seed": 0,
    "trials": 12,
    "seconds": None,
    "fingerprint": "",
}


@pytest.fixture
def cache(own_cache: Path) -> Iterator[Cache]:
    with open_cache() as opened:
        yield opened


@pytest.fixture
def shades(tmp_path: Path) -> Path:
    """A table of 60 pictures of three colours that differ a little, with splits."""
    chance = np.random.default_rng(0)
    rows = ["path,label,split"]
    for number in range(60):
        label, split = number % 3, ("train", "train", "train", "validation", "test")[number // 3 % 5]
        colour = chance.integers(60, 140, size=3)
        colour[label] += 50
        picture = np.full((20, 20, 3), colour, dtype=np.uint8) + chance.integers(
            0, 20, size=(20, 20, 3), dtype=np.uint8
        )
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / f"{number}.png")
        rows.append(f"{number}.png,{'rgb'[label]},{split}")
    table = tmp_path / "shades.csv"
    table.write_text("\n".join(rows))
    return table


@pytest.fixture
def bench(shades: Path, backbone: ReadyBackbone, cache: Cache) -> Bench:
    return bench_of(shades, backbone, cache)


def bench_of(table: Path, backbone: ReadyBackbone, cache: Cache) -> Bench:
    """A bench on the pictures of a table, whose only network is the tiny one."""
    examined = examine(table, cache=cache, reporter=Silent())
    task = next(one for one in TASKS.values() if one.refit is not None)
    return Bench(
        task=task,
        examined=examined,
        dataset=gather(examined, split=task.split, encode=task.encode, seed=0).without_test(),
        fingerprint="",
        span=None,
        device="cpu",
        engine=SHIPPED,
        cache=cache,
        reporter=Silent(),
        _backbones={("tf_efficientnet_lite0", None, None, None, None): backbone},
    )
