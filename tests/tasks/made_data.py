"""A small data set for every task. In: a folder. Out: its table or folder, by the task's name. Next: test_contract.py."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tellapart.bundle import TaskName
from tests.tasks.detection.made_pictures import made_table
from tests.tasks.segmentation.made_pictures import made_folder

DIGITS = (0, 1, 4)
SIDE = 48
SMALL = {"network": {"name": "lenet5", "channels": 1}, "loop": {"epochs": 4, "batch_size": 16, "learning_rate": 3e-3}}

SCRATCH: Mapping[TaskName, Mapping[str, Any]] = {
    "text": {
        "network": {"text": {"embedding": 8, "filters": 6}},
        "loop": {"epochs": 6, "batch_size": 10, "learning_rate": 0.02},
    }
}


def digit(label: int, number: int) -> Image.Image:
    """One of scikit-learn's handwritten digits, 24 pixels wide."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    image = digits.images[digits.target == label][number % 170]
    return Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8)).resize((24, 24))


def one_class(folder: Path) -> Path:
    """Pictures of one digit each."""
    rows = [("path", "label")]
    for number in range(150):
        label = DIGITS[number % 3]
        sheet = Image.new("L", (SIDE, SIDE))
        sheet.paste(digit(label, number // 3), (12, 12))
        sheet.save(folder / f"{number}.png")
        rows.append((f"{number}.png", f"digit {label}"))
    return written(folder, rows)


def several_classes(folder: Path) -> Path:
    """Pictures of no, one or two digits, in two of four corners."""
    chance = np.random.default_rng(0)
    rows = [("path", "labels")]
    for number in range(240):
        shown = chance.choice(DIGITS, size=int(chance.integers(0, 3)), replace=False).tolist()
        corners = chance.permutation([(0, 0), (24, 0), (0, 24), (24, 24)])
        # Empty pictures would be copies of each other, so that each has a dot of its own.
        sheet = Image.new("L", (SIDE, SIDE))
        sheet.putpixel((number % SIDE, number // SIDE), 200)
        for label, corner in zip(shown, corners.tolist(), strict=False):
            sheet.paste(digit(label, number), tuple(corner))
        sheet.save(folder / f"{number}.png")
        rows.append((f"{number}.png", "|".join(f"digit {label}" for label in shown)))
    return written(folder, rows)


def boxes(folder: Path) -> Path:
    """Pictures of no, one or two squares and discs."""
    return made_table(folder, count=60)


def masks(folder: Path) -> Path:
    """Pictures of discs and squares, and their masks."""
    return made_folder(folder, count=40)


def texts(folder: Path) -> Path:
    """Sentences of a few words, of which some belong to a class."""
    chance = np.random.default_rng(0)
    plain = [f"word{number}" for number in range(40)]
    own = {"sun": ["warm", "bright"], "rain": ["wet", "grey"], "snow": ["cold", "white"]}
    rows = [("text", "label")]
    for number in range(180):
        label = list(own)[number % 3]
        words = [*chance.choice(plain, 6), chance.choice(own[label])]
        rows.append((" ".join(chance.permutation(words)), label))
    return written(folder, rows)


def written(folder: Path, rows: list[tuple[str, str]]) -> Path:
    with (folder / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "data.csv"


DATA: Mapping[TaskName, Callable[[Path], Path]] = {
    "classification": one_class,
    "multilabel": several_classes,
    "detection": boxes,
    "segmentation": masks,
    "text": texts,
}
PROBE: Mapping[TaskName, Mapping[str, Any]] = {
    "detection": {"network": {"size": 64}},
    "segmentation": {"network": {"size": 64}},
}
