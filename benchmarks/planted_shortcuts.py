"""Are shortcuts found, and only they? In: sets of pictures. Out: JSON lines. Next: docs/results.md.

Of each set, copies are made in which one class is told by something else than its object: saved at JPEG quality 60 and all others
at 95, resized, stamped in a corner, given a cast of colour. Then labels are dealt out at random, many times, with groups kept, and
it is counted how often the files alone, marks, thumbnails or colours seem to tell them: an interval of 95 % may do so in 2.5 %.

    python benchmarks/planted_shortcuts.py DATA/sign_digits DATA/cats_dogs_1400 --number 300
    python benchmarks/planted_shortcuts.py DATA/brain_tumor_yesno --alarms 200
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from tellapart.data.examples import picture_file
from tellapart.data.file_facts import CONTAINER, fact_names, read_facts
from tellapart.data.folder import scan
from tellapart.evaluation.shortcuts import balanced
from tellapart.features.caching import open_cache
from tellapart.features.extract import extract
from tellapart.features.partial import plain_engines
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Silent
from tellapart.training.fact_trees import guess_classes
from tellapart.training.out_of_fold import out_of_fold
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.shortcuts import check_shortcuts

Plant = Callable[
    [Image.Image, bool], tuple[Image.Image, int]
]  # a picture, whether it is of the class; and its JPEG quality


def quality(picture: Image.Image, chosen: bool) -> tuple[Image.Image, int]:
    """One class at quality 60."""
    return picture, 60 if chosen else 95


def resized(picture: Image.Image, chosen: bool) -> tuple[Image.Image, int]:
    """One class a tenth larger."""
    return (picture.resize((240, 240)) if chosen else picture), 95


def stamped(picture: Image.Image, chosen: bool) -> tuple[Image.Image, int]:
    """One class with a small white square in a corner."""
    if chosen:
        ImageDraw.Draw(picture).rectangle((4, 4, 18, 12), fill="white")
    return picture, 95


def cast(picture: Image.Image, chosen: bool) -> tuple[Image.Image, int]:
    """One class a little redder."""
    if chosen:
        red, green, blue = picture.split()
        picture = Image.merge("RGB", (red.point(lambda value: min(255, value + 12)), green, blue))
    return picture, 95


PLANTS: dict[str, Plant] = {
    "none": lambda picture, chosen: (picture, 95),
    **{f.__name__: f for f in (quality, resized, stamped, cast)},
}


def plant(source: Path, plant_one: Plant, number: int, out: Path) -> str:
    """Write about `number` pictures as JPEG of 224 x 224, one class with the shortcut; which class."""
    entries = scan(source).entries
    chosen = np.random.default_rng(0).permutation(len(entries))[:number]
    name = min(entry.target.text for entry in entries)
    for place in chosen.tolist():
        entry = entries[place]
        with Image.open(entry.path) as file:
            picture = ImageOps.exif_transpose(file).convert("RGB").resize((224, 224))
        changed, level = plant_one(picture, entry.target.text == name)
        folder = out / entry.target.text
        folder.mkdir(parents=True, exist_ok=True)
        changed.save(folder / f"{place:05d}.jpg", quality=level)
    return name


def planted(source: Path, number: int) -> None:
    """Print what is found of each shortcut."""
    for kind, plant_one in PLANTS.items():
        folder = Path(tempfile.mkdtemp())
        try:
            name = plant(source, plant_one, number, folder / source.name)
            _, found = check_shortcuts(folder / source.name, reporter=Silent())
        finally:
            shutil.rmtree(folder)
        record = found.as_json()
        line = {"set": source.name, "planted": kind, "class": name, "pictures": record["pictures"]}
        line |= {"facts": record["file"]["facts"][:2]}
        parts = ("file", "bytes", "border", "masked", "marks", "thumbnail", "colour", "whole")
        line |= {part: [record[part]["value"], record[part]["low"], record[part]["classes"][name]] for part in parts}
        print(json.dumps(line), flush=True)


def alarms(source: Path, times: int) -> None:
    """Print how often random labels seem to be told."""
    with open_cache() as cache:
        examined = examine(source, cache=cache, reporter=Silent())
        rows = [row for row, one in enumerate(examined.inspections) if not one.problem]
        entries, groups = examined.listing.entries, [examined.audit.groups[row] for row in rows]
        pictures = [picture_file(entries[row], examined.inspections[row]) for row in rows]
        facts = [read_facts(picture.path) for picture in pictures]
        kinds = {kind: [[one.facts[name] for one in facts] for name in fact_names(kind)] for kind in CONTAINER}
        squares = Preprocessing(
            size=224, crop=1.0, fit="squash", interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3
        )
        vectors = {
            part: extract(
                pictures,
                engine=engine,
                preprocessing=squares,
                embedding=engine.length,
                fingerprint="pixels",
                cache=None,
            ).vectors
            for part, engine in plain_engines().items()
        }
    numbers = np.unique(groups, return_inverse=True)[1]
    seen = {"file": 0} | dict.fromkeys(vectors, 0)
    for seed in range(times):
        random = np.random.default_rng(seed)
        labels = random.permutation(np.arange(numbers.max() + 1) % 2)[numbers]  # copies have one label
        told = balanced(
            guess_classes(kinds, labels, groups, seed=seed).guesses, labels, groups, class_count=2, seed=seed
        )
        seen["file"] += told.tells
        for part, found in vectors.items():
            guesses = out_of_fold(
                found, labels, groups, class_count=2, strength=1e-2, seed=seed, class_weights="balanced"
            ).argmax(axis=1)
            seen[part] += balanced(guesses, labels, groups, class_count=2, seed=seed).tells
    print(
        json.dumps(
            {"set": source.name, "random_labellings": times} | {f"alarms_{name}": count for name, count in seen.items()}
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sources", nargs="+", type=Path, help="folders of class folders")
    parser.add_argument("--number", type=int, default=300, help="pictures of each planted set")
    parser.add_argument("--alarms", type=int, default=0, help="random labellings; then nothing is planted")
    arguments = parser.parse_args()
    for source in arguments.sources:
        if arguments.alarms:
            alarms(source, arguments.alarms)
        else:
            planted(source, arguments.number)


if __name__ == "__main__":
    main()
