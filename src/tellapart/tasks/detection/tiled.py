"""What a detector learns from where pictures are cut: their tiles. In: Dataset. Out: CutPictures of it, a Score. Next: first.py.

Training pictures are cut as a picture is cut to be answered, each tile moved by chance; all tiles that show a box are there, and
some of the others. Validation tiles are those of an answer, so that an epoch is judged by whole pictures.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Placement
from tellapart.answers.box_merging import BoxMerging
from tellapart.answers.boxes import FoundBoxes
from tellapart.answers.tiling import in_tiles, tile_places
from tellapart.data.dataset import Dataset
from tellapart.data.examples import Example, PictureFile, Split
from tellapart.data.targets import Boxes, class_boxes
from tellapart.features.shrink import content_number
from tellapart.preprocessing import Preprocessing
from tellapart.tasks.detection.candidates import uncalibrated
from tellapart.tasks.detection.judging import judge_boxes, judge_pictures, judge_within
from tellapart.tasks.detection.matching import truth_of
from tellapart.tasks.detection.pictures import BoxPictures
from tellapart.tasks.detection.tile_files import TileFile, boxes_seen
from tellapart.tasks.parts import CutPictures
from tellapart.tiling import scaled_size

MOST_TRAIN, MOST_VALIDATION = 6000, 800  # tiles: two gigabytes at 320 pixels; half a minute an epoch on two cores
_EMPTY = 0.5  # tiles without a box that are kept, for each with one


def cut_dataset(
    dataset: Dataset,
    inputs: Preprocessing,
    *,
    seed: int,
    most_train: int = MOST_TRAIN,
    most_validation: int = MOST_VALIDATION,
) -> CutPictures:
    """The tiles of the training and of some validation pictures as a data set.

    At most `most_train` tiles are a sample, a function of seed and contents; of validation pictures there are as many as have
    `most_validation` tiles together, at least one.
    """
    if not in_tiles(inputs):
        raise ValueError(f"pictures whose fit is {inputs.fit} are not cut")
    tiles = {
        "train": _training_tiles(dataset, inputs, seed=seed, most=most_train),
        "validation": list(_answered_tiles(dataset, "validation", inputs, most=most_validation)),
    }
    examples = [example for split in tiles for example, _ in tiles[split]]
    row_of = {picture.content_hash: row for row, picture in reversed([*enumerate(dataset.pictures)])}
    files = [tile for split in tiles for _, tile in tiles[split]]
    cut = Dataset(
        classes=dataset.classes,
        examples=examples,
        indices=np.arange(len(examples)),
        targets=class_boxes([example.target for example in examples], dataset.classes),
        groups=dataset.groups[[row_of[tile.whole] for tile in files]],
        splits=np.array([example.split for example in examples]),
        leaked=np.zeros(len(examples), dtype=np.bool_),
        pictures=tuple(files),
    )
    return CutPictures(
        dataset=cut,
        validated=count_tiles(dataset, dataset.rows["validation"], inputs),
        tested=count_tiles(dataset, dataset.rows["test"], inputs),
    )


def count_tiles(dataset: Dataset, rows: NDArray[np.int64], inputs: Preprocessing) -> int:
    """How many tiles the pictures of rows [n] have together."""
    examples = [dataset.examples[index] for index in dataset.indices[rows].tolist()]
    return sum(len(tile_places(one.width, one.height, inputs)) for one in examples)


def score_of(pictures: BoxPictures, rows: NDArray[np.int64]) -> Callable[..., dict[str, float]]:
    """How an epoch is judged by what is found in rows [n] of the validation pictures, or of their tiles: as an answer would be."""
    if pictures.tiles:
        return merged_score([pictures.tiles[row] for row in rows.tolist()])
    return judge_boxes if pictures.within is None else judge_within(pictures.within[rows])


def merged_score(tiles: Sequence[TileFile]) -> Callable[..., dict[str, float]]:
    """How an epoch is judged: by what is found in the pictures that these tiles are of, each picture's in their order."""

    def score(found: Sequence[FoundBoxes], truth: NDArray[np.floating], class_count: int) -> dict[str, float]:
        pairs = zip(tiles, found, strict=True)
        pages, truths = [], []
        for _, own in itertools.groupby(pairs, key=lambda pair: pair[0].whole):
            picture = list(own)
            pages.append(_merged([tile for tile, _ in picture], [one for _, one in picture], class_count))
            truths.append(picture[0][0].truth)
        return judge_pictures(pages, truths, class_count)

    return score


def _merged(tiles: Sequence[TileFile], found: Sequence[FoundBoxes], class_count: int) -> FoundBoxes:
    """What is found in the tiles of one picture, in pixels of the tiles, as what is found in it."""
    first = tiles[0].place
    whole = Placement(width=first.width, height=first.height, left=0, top=0, right=first.width, bottom=first.height)
    merging = BoxMerging(whole, uncalibrated(class_count))
    for tile, one in zip(tiles, found, strict=True):
        shares = one.boxes / np.float32(tile.inputs.size)
        merging.add({"boxes": shares[None], "scores": one.scores[None], "labels": one.labels[None]}, [tile.place])
    arrays = merging.finish()
    sides = np.array([whole.width, whole.height] * 2, dtype=np.float32)
    return FoundBoxes(boxes=arrays["boxes"][0] * sides, scores=arrays["scores"][0], labels=arrays["labels"][0])


def _pictures(dataset: Dataset, split: Split) -> Iterator[tuple[Example, PictureFile]]:
    """The pictures of a split in the order of their contents, of copies one."""
    seen = set[str]()
    for row in dataset.rows[split].tolist():
        picture = dataset.pictures[row]
        if picture.content_hash not in seen:
            seen.add(picture.content_hash)
            yield dataset.examples[dataset.indices[row]], picture


def _training_tiles(dataset: Dataset, inputs: Preprocessing, *, seed: int, most: int) -> list[tuple[Example, TileFile]]:
    full, empty = list[tuple[Example, TileFile]](), list[tuple[Example, TileFile]]()
    for example, picture in _pictures(dataset, "train"):
        chance = np.random.default_rng((seed, content_number(picture.content_hash)))
        tiles = _tiles(example, picture, _moved_places(example, inputs, chance), inputs, dataset.classes)
        shown = [one for one in tiles if one[0].target.classes]
        others = [one for one in tiles if not one[0].target.classes]
        full += shown
        kept = max(1, math.ceil(_EMPTY * len(shown)))
        empty += [others[at] for at in chance.permutation(len(others))[:kept].tolist()]
    chance = np.random.default_rng((seed, len(full), len(empty)))
    room = max(round(most * _EMPTY / (1 + _EMPTY)), most - len(full))
    empty = [empty[at] for at in np.sort(chance.permutation(len(empty))[:room]).tolist()]
    full = [full[at] for at in np.sort(chance.permutation(len(full))[: most - len(empty)]).tolist()]
    return [*full, *empty]


def _moved_places(example: Example, inputs: Preprocessing, chance: np.random.Generator) -> list[Placement]:
    """Tiles as of an answer, each moved by up to half of what they share; those at an edge of the picture stay there."""
    across, down = scaled_size(example.width, example.height, inputs)
    wide, high = example.width / across, example.height / down  # pixels of the picture in one of the input
    half, moved = inputs.overlap // 2, []
    for place in tile_places(example.width, example.height, inputs):
        right, below = chance.integers(-half, half + 1, 2).tolist()
        right = right if place.left > 0 and place.right < place.width else 0
        below = below if place.top > 0 and place.bottom < place.height else 0
        moved.append(
            replace(
                place,
                left=place.left + right * wide,
                top=place.top + below * high,
                right=place.right + right * wide,
                bottom=place.bottom + below * high,
            )
        )
    return moved


def _answered_tiles(
    dataset: Dataset, split: Split, inputs: Preprocessing, *, most: int
) -> Iterator[tuple[Example, TileFile]]:
    """All tiles of one picture after the other, for as long as they are no more than that; of the first in any case."""
    count = 0
    for example, picture in _pictures(dataset, split):
        places = tile_places(example.width, example.height, inputs)
        if count and count + len(places) > most:
            return
        count += len(places)
        yield from _tiles(example, picture, places, inputs, dataset.classes)


def _tiles(
    example: Example,
    picture: PictureFile,
    places: Sequence[Placement],
    inputs: Preprocessing,
    classes: Sequence[str],
) -> list[tuple[Example, TileFile]]:
    """Tiles of one picture, each as an example and as a file; sorted by their contents they are in their order."""
    boxes = example.target if isinstance(example.target, Boxes) else Boxes()
    truth, found = truth_of(boxes, classes), []
    for place in places:
        name = f"{picture.content_hash} {place.tile:06} {place.left:g} {place.top:g} {place.right:g} {place.bottom:g}"
        tile = TileFile(
            path=picture.path,
            file_hash=picture.file_hash,
            content_hash=name,
            place=place,
            inputs=inputs,
            whole=picture.content_hash,
            truth=truth,
        )
        shown = replace(
            example,
            target=boxes_seen(boxes, place, inputs),
            content_hash=name,
            width=inputs.size,
            height=inputs.size,
        )
        found.append((shown, tile))
    return found
