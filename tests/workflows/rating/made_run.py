"""A run of coloured pictures whose network needs no torch. In: a model's bytes. Out: an OpenRun. Next: test_asking.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.data.examples import Example, Split
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassName
from tellapart.runs.open import MODEL, OpenRun

COLOURS = {"红色": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
# What a test picture shows and what it is said to be: of six pictures, the answers to five are right.
TEST = (
    ("红色", "红色"),
    ("green", "green"),
    ("blue", "blue"),
    ("green", "green"),
    ("blue", "blue"),
    ("blue", "green"),
)


def picture(folder: Path, name: str, colour: str, number: int) -> Path:
    """A picture of one colour with a dot of its own."""
    pixels = np.full((20, 20, 3), COLOURS[colour], dtype=np.uint8)
    pixels[number % 20, number // 20] = 128
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def write_run(folder: Path, model: bytes, *, train: int = 6) -> OpenRun:
    """A folder with the model and its pictures, six of them of the test split."""
    folder.mkdir(parents=True)
    (folder / MODEL).write_bytes(model)
    examples = []
    names = list(COLOURS)

    def add(split: Split, shown: str, said: str) -> None:
        number = len(examples)
        path = picture(folder, f"{number}.png", shown, number)
        examples.append(
            Example(
                path=path,
                target=ClassName(said),
                split=split,
                group=f"group {number // 2}",
                content_hash=f"{number:032x}",
                width=20,
                height=20,
            )
        )

    for shown, said in TEST:
        add("test", shown, said)
    for number in range(train):
        add("train", names[number % 3], names[number % 3])
    for name in names:
        add("validation", name, name)
    write_examples(folder / "examples.csv", examples)
    return OpenRun(folder)
