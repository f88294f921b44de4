"""The folders and files that the tutorials' commands name, tiny. In: a folder. Out: flowers/, digits.npz, cat.jpg ... in it."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

FLOWERS = ("daisy", "dandelion", "rose", "sunflower", "tulip")


def noise(seed: int, colour: tuple[int, int, int], side: int = 40) -> Image.Image:
    """A picture of a colour under noise; no two are near copies."""
    chance = np.random.default_rng(seed)
    ground = chance.integers(0, 90, (side, side, 3)) + np.array(colour)
    return Image.fromarray(ground.clip(0, 255).astype(np.uint8))


def colours(count: int) -> list[tuple[int, int, int]]:
    return [
        (40 + 130 * (number % 2), 40 + 130 * (number // 2 % 2), 40 + 130 * (number // 4)) for number in range(count)
    ]


def class_folders(folder: Path, labels: tuple[str, ...], *, each: int = 12, seed: int = 0) -> None:
    """`each` pictures of every class."""
    for place, (label, colour) in enumerate(zip(labels, colours(len(labels)), strict=True)):
        (folder / label).mkdir(parents=True)
        for number in range(each):
            noise(seed + 1000 * place + number, colour).save(folder / label / f"{number}.png")


def digits(path: Path, *, each: int = 10, names: tuple[str, str] = ("images", "target")) -> None:
    """scikit-learn's digits, the first of every class."""
    from sklearn.datasets import load_digits

    found = load_digits()
    chosen = np.concatenate([np.flatnonzero(found.target == digit)[:each] for digit in range(10)])
    np.savez(path, **{names[0]: found.images[chosen], names[1]: found.target[chosen]})


def split_arrays(path: Path) -> None:
    """Arrays under Keras' four names, 28 x 28."""
    chance = np.random.default_rng(5)
    labels = np.arange(100) % 10
    images = (chance.integers(0, 60, (100, 28, 28)) + 19 * labels[:, None, None]).astype(np.uint8)
    np.savez(path, x_train=images[:80], y_train=labels[:80], x_test=images[80:], y_test=labels[80:])


def raccoons(folder: Path, count: int = 24) -> None:
    """Pictures with a bright square each, and its box as Pascal VOC has it."""
    for name in ("images", "annotations"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        picture, left = noise(number, (60, 60, 60), 64), 4 + number % 20
        ImageDraw.Draw(picture).rectangle((left, 20, left + 23, 43), fill=(250, 240, 60))
        picture.save(folder / "images" / f"{number}.jpg")
        (folder / "annotations" / f"{number}.xml").write_text(
            f"<annotation><filename>{number}.jpg</filename><size><width>64</width><height>64</height><depth>3</depth></size>"
            f"<object><name>raccoon</name><bndbox><xmin>{left}</xmin><ymin>20</ymin><xmax>{left + 24}</xmax><ymax>44</ymax>"
            "</bndbox></object></annotation>",
            encoding="utf-8",
        )


def slides(folder: Path, count: int = 20) -> None:
    """Pictures of a disc, and their masks."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        picture, mask = noise(number, (80, 80, 80), 64), Image.new("L", (64, 64))
        box = (4 + number, 10, 30 + number, 36)
        ImageDraw.Draw(picture).ellipse(box, fill=(30, 60, 220))
        ImageDraw.Draw(mask).ellipse(box, fill=1)
        picture.save(folder / "images" / f"{number}.png")
        mask.save(folder / "masks" / f"{number}.png")


def tables(folder: Path) -> None:
    """photos/ with the class in the name, labels.csv and birds.xlsx of them."""
    import openpyxl

    (folder / "photos").mkdir()
    rows = []
    for place, label in enumerate(("cat", "dog")):
        for number in range(12):
            name = f"{label}.{number}.jpg"
            noise(7000 + 100 * place + number, colours(2)[place]).save(folder / "photos" / name)
            rows.append((name, label))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *rows])
    book = openpyxl.Workbook()
    for row in [("file", "species"), *rows]:
        book.active.append(row)
    book.save(folder / "birds.xlsx")


def reviews(folder: Path) -> None:
    """reviews.csv of sentences with a class each, and new.csv without."""
    good, bad = ("wonderful", "moving", "brilliant", "charming"), ("dull", "tiresome", "awful", "flat")
    things = ("film", "story", "cast", "music", "ending", "script")
    rows = [
        (f"a {word} {thing} number {number}", label)
        for label, words in (("good", good), ("bad", bad))
        for number, (word, thing) in enumerate((word, thing) for word in words for thing in things)
    ]
    with (folder / "reviews.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    with (folder / "new.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text",), ("a charming story",), ("an awful ending",)])


def make_world(folder: Path) -> None:
    """All of it. Names are the documents'."""
    class_folders(folder / "flowers", FLOWERS, each=6)  # VGG-16 looks at these
    for place, name in enumerate(("train", "validation")):
        class_folders(folder / "flowers_split" / name, FLOWERS, each=4, seed=10_000 * (place + 7))
    class_folders(folder / "cats_and_dogs", ("cat", "dog"), seed=20_000)
    class_folders(folder / "pictures", ("one", "two"), each=24, seed=30_000)
    class_folders(folder / "hotdog", ("hotdog", "not_hotdog"), seed=40_000)
    class_folders(folder / "fashion", ("bag", "coat", "shirt"), seed=50_000)
    class_folders(folder / "cifar10", ("airplane", "ship"), seed=60_000)
    digits(folder / "arrays.npz")
    split_arrays(folder / "mnist.npz")
    raccoons(folder / "raccoons")
    slides(folder / "slides")
    tables(folder)
    reviews(folder)
    for name in ("holiday", "yard"):
        (folder / name).mkdir()
    for number, name in enumerate(
        ("cat.jpg", "flower.jpg", "picture.jpg", "holiday/1.jpg", "holiday/2.jpg", "digit.png")
    ):
        noise(90_000 + number, (120, 60, 60), 64).save(folder / name)
    square = noise(1, (60, 60, 60), 64)
    ImageDraw.Draw(square).rectangle((10, 20, 33, 43), fill=(250, 240, 60))
    square.save(folder / "yard.jpg")
    square.save(folder / "yard" / "1.jpg")
