"""Collages of cats, dogs, hot dogs, raccoons and hand signs. In: folders of pictures. Out: FOLDER/collages.csv and JPEGs.

Each collage shows 1 to 4 pictures, each of a class drawn at random; its labels are the classes that are in it. The source
pictures are dealt into albums first, copies into one, and an album is in one split: no source picture is in two splits, and
collages of one `group` (the album) may share one where collages of two never do.

    python benchmarks/collages.py ../shared/data FOLDER [--count 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from tellapart.data.copies import find_copies
from tellapart.data.inspection import inspect_all
from tellapart.preprocessing import decode
from tellapart.runtime import cores

SOURCES: Mapping[str, tuple[str, ...]] = {
    "cat": ("cats_dogs_1400/cat",),
    "dog": ("cats_dogs_1400/dog",),
    "hand sign": ("sign_digits",),
    "hot dog": ("hotdog/train/hotdog", "hotdog/val/hotdog"),
    "raccoon": ("raccoon_voc/images",),
}
SIDE = 448  # pixels of a collage
ALBUMS = 100  # so few that each has a hot dog, of which there are 125
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}

# The panels of a collage of so many pictures, as (left, top, right, bottom) in halves of its side.
LAYOUTS: Mapping[int, tuple[tuple[tuple[int, int, int, int], ...], ...]] = {
    1: (((0, 0, 2, 2),),),
    2: (((0, 0, 1, 2), (1, 0, 2, 2)), ((0, 0, 2, 1), (0, 1, 2, 2))),
    3: (
        ((0, 0, 2, 1), (0, 1, 1, 2), (1, 1, 2, 2)),
        ((0, 1, 2, 2), (0, 0, 1, 1), (1, 0, 2, 1)),
        ((0, 0, 1, 2), (1, 0, 2, 1), (1, 1, 2, 2)),
        ((1, 0, 2, 2), (0, 0, 1, 1), (0, 1, 1, 2)),
    ),
    4: (((0, 0, 1, 1), (1, 0, 2, 1), (0, 1, 1, 2), (1, 1, 2, 2)),),
}

Album = Mapping[str, Sequence[Path]]  # class -> source pictures


def deal_albums(data: Path, generator: np.random.Generator) -> list[Album]:
    """Every source picture in one album, copies together, each class spread evenly over the albums."""
    albums: list[dict[str, list[Path]]] = [{} for _ in range(ALBUMS)]
    for name, folders in SOURCES.items():
        paths = sorted(path for folder in folders for path in (data / folder).rglob("*") if path.is_file())
        inspections = inspect_all(paths, workers=cores())
        clusters = find_copies(inspections).cluster_of
        usable = [row for row, inspection in enumerate(inspections) if not inspection.problem]
        numbers = sorted({clusters[row] for row in usable})
        order = dict(zip(generator.permutation(numbers).tolist(), range(len(numbers)), strict=True))
        for row in usable:
            albums[order[clusters[row]] % ALBUMS].setdefault(name, []).append(paths[row])
    return albums


def draw_collage(album: Album, generator: np.random.Generator) -> tuple[Image.Image, list[str]]:
    """One collage of an album's pictures, RGB, and the classes in it, sorted."""
    layouts = LAYOUTS[int(generator.integers(1, 5))]
    collage, names = Image.new("RGB", (SIDE, SIDE)), sorted(album)
    seen = set()
    for panel in layouts[int(generator.integers(len(layouts)))]:
        name = names[int(generator.integers(len(names)))]
        source = album[name][int(generator.integers(len(album[name])))]
        left, top, right, bottom = (edge * SIDE // 2 for edge in panel)
        picture = decode(source.read_bytes(), target=SIDE).image
        centre = tuple(generator.uniform(0.3, 0.7, size=2).tolist())
        fitted = ImageOps.fit(picture, (right - left, bottom - top), Image.Resampling.BICUBIC, centering=centre)
        collage.paste(ImageOps.mirror(fitted) if generator.random() < 0.5 else fitted, (left, top))
        seen.add(name)
    return collage, sorted(seen)


def split_of(album: int) -> str:
    """The albums are dealt at random, so that the first ones may be train, the next validation."""
    ends = np.cumsum(list(SHARES.values())) * ALBUMS
    return list(SHARES)[int(np.searchsorted(np.round(ends), album, side="right"))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    generator = np.random.default_rng(arguments.seed)
    albums = deal_albums(arguments.data, generator)
    (arguments.folder / "pictures").mkdir(parents=True)
    sets: Counter[str] = Counter()
    with (arguments.folder / "collages.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["path", "labels", "split", "group"])
        for number in range(arguments.count):
            album = number % ALBUMS
            collage, labels = draw_collage(albums[album], generator)
            path = f"pictures/{number:04d}.jpg"
            collage.save(arguments.folder / path, quality=90)
            table.writerow([path, "|".join(labels), split_of(album), f"album {album:02d}"])
            sets.update(labels)
    print(f"{arguments.count} collages in {arguments.folder}: {dict(sorted(sets.items()))}")


if __name__ == "__main__":
    main()
