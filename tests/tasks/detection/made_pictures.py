"""Pictures of squares and discs with a table of their boxes. In: a folder, a seed. Out: a CSV. Next: test_first.py."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

SIDE = 64
CLASSES = ("disc", "square")


def made_table(folder: Path, *, count: int = 40, seed: int = 0) -> Path:
    """`count` pictures with no, one or two things each, on a noisy ground, and `boxes.csv` with where they are."""
    generator = np.random.default_rng(seed)
    rows: list[tuple[object, ...]] = [("path", "xmin", "ymin", "xmax", "ymax", "label")]
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        image = Image.fromarray(generator.integers(90, 130, (SIDE, SIDE, 3), dtype=np.uint8))
        draw, name = ImageDraw.Draw(image), f"{number}.png"
        things = 0 if number % 10 == 9 else 1 + number % 2
        for thing in range(things):
            width = int(generator.integers(18, 27))
            left, top = int(generator.integers(0, SIDE // 2 - 4)) % (32 - 4), int(generator.integers(0, SIDE - width))
            left = min(left + 32 * thing, SIDE - width) if things == 2 else int(generator.integers(0, SIDE - width))
            label = CLASSES[int(generator.integers(0, 2))]
            box = (left, top, left + width, top + width)
            shape = draw.rectangle if label == "square" else draw.ellipse
            shape((box[0], box[1], box[2] - 1, box[3] - 1), fill=(250, 240, 60) if label == "square" else (30, 60, 220))
            rows.append((name, *box, label))
        if not things:
            rows.append((name, "", "", "", "", ""))
        image.save(folder / name)
    with (folder / "boxes.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder / "boxes.csv"
