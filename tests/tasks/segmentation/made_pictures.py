"""Pictures of discs and squares with their masks. In: a folder. Out: images/ and masks/ in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("background", "disc", "square")
WIDTH, HEIGHT = 72, 64


def made_folder(folder: Path, *, count: int = 24, seed: int = 0) -> Path:
    """`count` pictures of a disc, a square or both, on a noisy ground, and `classes.txt` beside their masks."""
    chance = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES), encoding="utf-8")
    for number in range(count):
        noise = chance.integers(90, 130, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        image, mask = Image.fromarray(noise), Image.new("L", (WIDTH, HEIGHT))
        for place, label in enumerate((1, 2) if number % 3 == 2 else (1 + number % 3,)):
            size = int(chance.integers(16, 26))
            left = int(chance.integers(0, WIDTH // 2 - size)) + place * WIDTH // 2
            top = int(chance.integers(0, HEIGHT - size))
            box = (left, top, left + size - 1, top + size - 1)
            for canvas, fill in ((image, (30, 60, 220) if label == 1 else (250, 240, 60)), (mask, label)):
                draw = ImageDraw.Draw(canvas)
                (draw.ellipse if label == 1 else draw.rectangle)(box, fill=fill)
        image.save(folder / "images" / f"{number}.png")
        mask.save(folder / "masks" / f"{number}.png")
    return folder
