"""One whole training for all walks. In: scikit-learn's digits as pictures. Out: a run's folder and its model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.runs.result import TrainResult


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedRun:
    """A finished run."""

    model: Path
    run: Path
    pictures: Path
    result: TrainResult


def save_digits(folder: Path, *, labels: tuple[int, ...] = (0, 1, 4), each: int = 40, names: str = "数字 {}") -> Path:
    """Write scikit-learn's handwritten digits as PNGs, one folder a class, under names with a space and Chinese."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    for label in labels:
        target = folder / names.format(label)
        target.mkdir(parents=True)
        for number, image in enumerate(digits.images[digits.target == label][:each]):
            picture = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8))
            picture.resize((64, 64), Image.Resampling.BICUBIC).save(target / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory, own_cache: Path) -> TrainedRun:
    folder = tmp_path_factory.mktemp("walk")
    pictures = save_digits(folder / "pictures")
    result = tellapart.train(pictures, out=folder / "runs", strategy="probe", device="cpu")
    return TrainedRun(model=result.model, run=result.run, pictures=pictures, result=result)
