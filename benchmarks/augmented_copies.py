"""Whether augmented copies are found. In: folders of pictures. Out: recall, pairs as they are and cost of each, as JSON lines.

Of each folder some pictures are varied as Keras's ImageDataGenerator does it in the tutorials (rotation 40, shifts, shear and
zoom 0.2, horizontal flip, nearest fill), and as Roboflow's exports do (all at once: quarter turns, flips, a crop to 80 % at
least, blur, brightness, noise, cutout, now and then grey). Found is what stands in a pair with its original. Pairs of a folder
as it is go to a sheet: whether they are copies, somebody has to look at. Seconds are of the processor, not of the clock, and what
finding copies costs is what an audit with the search takes longer than one without.

The thresholds were chosen on the first half of each set (by the hash of the file) and copies of seed 1; --half second and other
seeds are what nobody looked at before.

    python benchmarks/augmented_copies.py FOLDER... [--elpv] [--half second] [--seed 2] [--copies 120] [--growth] [--sheets OUT]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from scipy import ndimage

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.data.augmented import comparable
from tellapart.data.examples import PictureFile
from tellapart.data.inspection import inspect_all
from tellapart.features.backbone import prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.embedding import embed_pictures
from tellapart.features.landmark_store import LandmarkStore
from tellapart.features.scene_search import search
from tellapart.preprocessing import decode
from tellapart.reporter import Silent
from tellapart.runtime import cores
from tellapart.storage import cache_folder

SHEET = 60  # pairs
SMALL = 300  # pictures


def keras(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """One of ImageDataGenerator's. Source: keras_preprocessing 1.1, apply_affine_transform; the shear in radians, as once."""
    pixels = np.asarray(picture, dtype=np.float32)
    height, width = pixels.shape[:2]
    turn, shear = np.deg2rad(random.uniform(-40, 40)), random.uniform(-0.2, 0.2)
    down, across = random.uniform(-0.2, 0.2) * height, random.uniform(-0.2, 0.2) * width
    tall, wide = random.uniform(0.8, 1.2, 2)
    matrix = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    matrix = matrix @ [[1, 0, down], [0, 1, across], [0, 0, 1]]
    matrix = matrix @ [[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]] @ np.diag([tall, wide, 1])
    middle = np.array([height / 2 - 0.5, width / 2 - 0.5])
    offset = matrix[:2, 2] + middle - matrix[:2, :2] @ middle
    varied = [
        ndimage.affine_transform(pixels[..., part], matrix[:2, :2], offset, order=1, mode="nearest")
        for part in range(3)
    ]
    result = Image.fromarray(np.clip(np.stack(varied, axis=-1), 0, 255).astype(np.uint8))
    return ImageOps.mirror(result) if random.random() < 0.5 else result


def roboflow(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """All of its variations at once, each of a random strength."""
    picture = picture.rotate(90 * int(random.integers(4)), expand=True)
    picture = ImageOps.mirror(picture) if random.random() < 0.5 else picture
    picture = ImageOps.flip(picture) if random.random() < 0.5 else picture
    width, height = picture.size
    share = 1 - random.uniform(0, 0.2)
    left, top = random.uniform(0, width * (1 - share)), random.uniform(0, height * (1 - share))
    box = (left, top, left + width * share, top + height * share)
    picture = picture.resize((width, height), Image.Resampling.BILINEAR, box=box)
    picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))
    pixels = np.asarray(picture, dtype=np.float32) * random.uniform(0.75, 1.25)
    if random.random() < 0.15:
        pixels = np.repeat(pixels.mean(axis=-1, keepdims=True), 3, axis=-1)
    varied = np.clip(pixels, 0, 255).astype(np.uint8)
    specks, noise = random.random((height, width)), random.uniform(0, 0.02)
    varied[specks < noise / 2], varied[specks > 1 - noise / 2] = 0, 255
    for _ in range(3):
        y, x = random.integers(height * 9 // 10 + 1), random.integers(width * 9 // 10 + 1)
        varied[y : y + height // 10, x : x + width // 10] = 0
    return Image.fromarray(varied)


KINDS: dict[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {"keras": keras, "roboflow": roboflow}


def find(paths: list[Path], cache: Path) -> tuple[set[frozenset[str]], set[str], float]:
    """Pairs, what stood first in one of them, and seconds of the processor that finding them adds to an audit."""
    began = time.process_time()
    inspect_all(paths, workers=cores())
    alone, began = time.process_time() - began, time.process_time()
    with Cache(cache, limit_bytes=10**10) as opened:
        with LandmarkStore(opened) as store:
            inspections = inspect_all(paths, workers=cores(), seen=store.keep)
        files = {
            one.content_hash: PictureFile(path=path, file_hash=one.file_hash, content_hash=one.content_hash)
            for path, one in zip(paths, inspections, strict=True)
            if not one.problem and comparable(one.width, one.height)
        }
        pairs = search(list(files.values()), cache=opened, workers=cores()).pairs
    named = [tuple(str(files[content].path) for content in pair) for pair in pairs]
    return {frozenset(pair) for pair in named}, {first for first, _ in named}, time.process_time() - began - alone


def vary(paths: list[Path], folder: Path, kind: str, most: int, seed: int) -> dict[str, str]:
    """Copies of up to `most` pictures, and of which one each is."""
    random = np.random.default_rng([seed, zlib.crc32(f"{kind}{len(paths)}".encode())])
    made = {}
    for row in random.permutation(len(paths))[:most].tolist():
        picture = decode(paths[row].read_bytes(), target=500).image
        copy = folder / f"{kind}-{row}.jpg"
        KINDS[kind](picture, random).save(copy, quality=int(random.integers(75, 95)))
        made[str(copy)] = str(paths[row])
    return made


def sheet(pairs: set[frozenset[str]], out: Path) -> None:
    """The first pairs side by side."""
    chosen = sorted(sorted(pair) for pair in pairs)[:SHEET]
    page = Image.new("RGB", (4 * 340, max(1, -(-len(chosen) // 4)) * 170), "white")
    for place, pair in enumerate(chosen):
        for side, path in enumerate(pair):
            picture = decode(Path(path).read_bytes(), target=160).image
            picture.thumbnail((160, 160))
            page.paste(picture, (place % 4 * 340 + side * 163, place // 4 * 170))
    page.save(out)


def embedding_seconds(paths: list[Path]) -> float:
    """Of the processor, for the embeddings of all of them, nothing cached."""
    backbone = prepare_backbone("tf_efficientnet_lite0", cache=cache_folder(), weights=None).wait()
    files = [PictureFile(path=path, file_hash="", content_hash=str(path)) for path in paths]
    began = time.process_time()
    embed_pictures(files, backbone, "cpu", None, Silent())
    return time.process_time() - began


def measure(name: str, paths: list[Path], most: int, seed: int, sheets: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # What a small set costs is told by the median of some rounds, each with an empty cache.
        rounds = [find(paths, root / f"cache-{number}") for number in range(5 if len(paths) < SMALL else 1)]
        pairs, seconds = rounds[0][0], float(np.median([spent for _, _, spent in rounds]))
        embeddings = float(np.median([embedding_seconds(paths) for _ in rounds]))
        record: dict[str, object] = {
            "set": name,
            "pictures": len(paths),
            "pairs as it is": len(pairs),
            "milliseconds a picture": round(1000 * seconds / len(paths), 2),
            "of the embeddings, milliseconds": round(1000 * embeddings / len(paths), 2),
            "of the embeddings": round(seconds / embeddings, 3),
        }
        if sheets is not None and pairs:
            sheet(pairs, sheets / f"{name}.png")
        for kind in KINDS:
            copies = vary(paths, root, kind, most, seed)
            found, firsts, _ = find([*paths, *map(Path, copies)], root / "cache-0")
            own = [original for copy, original in copies.items() if frozenset((copy, original)) in found]
            strangers = sum(
                len({copies.get(one, one) for one in pair}) == 2
                and frozenset(copies.get(one, one) for one in pair) not in pairs
                for pair in found
            )
            record[kind] = {
                "copies": len(copies),
                "recall": round(len(own) / len(copies), 3),
                "original told": round(sum(one in firsts for one in own) / max(1, len(own)), 3),
                "pairs with strangers": strangers,
            }
        print(json.dumps(record), flush=True)


def grow(paths: list[Path], copies: int, seed: int) -> None:
    """What a picture costs in sets of two sizes, all folders and copies of both kinds together, and how many copies are found."""
    with tempfile.TemporaryDirectory() as folder:
        made = {copy: one for kind in KINDS for copy, one in vary(paths, Path(folder), kind, copies, seed).items()}
        everything = [*paths, *map(Path, made)]
        order = np.random.default_rng(seed).permutation(len(everything)).tolist()
        for number in (len(order) // 4, len(order)):
            chosen = [everything[place] for place in order[:number]]
            pairs, _, seconds = find(chosen, Path(folder) / f"cache-{number}")
            inside = {str(path) for path in chosen}
            own = [frozenset(item) for item in made.items() if set(item) <= inside]
            record = {
                "pictures": number,
                "milliseconds a picture": round(1000 * seconds / number, 2),
                "copies": len(own),
                "recall": round(sum(one in pairs for one in own) / max(1, len(own)), 3),
            }
            print(json.dumps(record), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--elpv", action="store_true", help="the solar cells of the package elpv-dataset, too")
    parser.add_argument("--copies", type=int, default=120, help="of each kind, from each folder")
    parser.add_argument("--half", choices=["first", "second"], help="only that half of each folder")
    parser.add_argument("--seed", type=int, default=2, help="of the copies")
    parser.add_argument("--growth", action="store_true", help="all folders as one set, of two sizes")
    parser.add_argument(
        "--sheets", type=Path, help="a folder for pictures of the pairs that are found in the sets as they are"
    )
    arguments = parser.parse_args()
    folders = list(arguments.folders)
    if arguments.elpv:
        import elpv_dataset

        folders.append(Path(elpv_dataset.__file__).parent / "data" / "images")
    sets: dict[str, list[Path]] = {}
    for folder in folders:
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMAT_OF_EXTENSION)
        contents = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in reversed(paths)}
        kept = [path for content, path in contents.items() if half(content) == arguments.half or not arguments.half]
        name = "elpv" if arguments.elpv and folder == folders[-1] else f"{folder.parent.name}-{folder.name}"
        sets[name] = sorted(kept)
    if arguments.growth:
        grow([path for paths in sets.values() for path in paths], arguments.copies, arguments.seed)
        return
    for name, paths in sets.items():
        measure(name, paths, arguments.copies, arguments.seed, arguments.sheets)


def half(content: str) -> str:
    """Which half of its set a picture belongs to, by the hash of its file."""
    return "second" if int(content[-1], 16) % 2 else "first"


if __name__ == "__main__":
    main()
