"""A split of a run, ready to be asked again and again. In: OpenRun. Out: AskedSplit. Next: rated.py.

What differs between two files of one network is to be told from what differs in their pictures: these are decoded once, to a file
that other runtimes, in other processes, can read as well. N pictures, T inputs (as many, or more where pictures are cut into
tiles), S side of an input.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import Placement
from tellapart.answers.tiling import cut_picture, in_tiles, merging_of
from tellapart.bundle import Manifest
from tellapart.data.examples import Example, Split
from tellapart.data.targets import Target
from tellapart.errors import DataError, PictureError
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Reporter, counted
from tellapart.runs.open import OpenRun
from tellapart.runtime import BATCH, cores
from tellapart.sources.reading import read_bytes
from tellapart.storage import storage_errors
from tellapart.tasks.table import task_of
from tellapart.threads import in_order

INPUTS = "inputs.u8"


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPicture:
    """One picture that is asked."""

    path: Path
    target: Target
    group: str  # "" where it has none
    whole: Placement  # by which its answer is decided
    places: tuple[Placement, ...]  # of its inputs: the whole, or its tiles row by row
    start: int  # number of its first input

    @property
    def stop(self) -> int:
        """One more than the number of its last input."""
        return self.start + len(self.places)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AskedSplit:
    """The N pictures of a split that could be read, as the network gets them."""

    # [T, S, S, 3], mapped from the file `inputs_file`, whose bytes they are; of texts str [T], cleaned, and no file.
    inputs: NDArray[Any]
    inputs_file: Path
    pictures: tuple[AskedPicture, ...]  # N
    preprocessing: Preprocessing | None  # None of texts
    tiled: bool
    unread: int  # pictures that could not be read, which nobody is asked

    @property
    def targets(self) -> list[Target]:
        """What is true, [N]."""
        return [one.target for one in self.pictures]

    @property
    def groups(self) -> list[str]:
        """[N]"""
        return [one.group for one in self.pictures]

    @property
    def paths(self) -> list[Path]:
        """[N]"""
        return [one.path for one in self.pictures]


def ask_split(run: OpenRun, split: Split, work: Path, reporter: Reporter, *, most: int | None = None) -> AskedSplit:
    """The pictures of a split of a finished run, or the first `most` of them by their content; their inputs are put into `work`.

    Raises: DataError where the run lists none, or none can be read any more; StorageError.
    """
    examples = [one for one in run.examples if one.split == split and not one.problem]
    if not examples:
        raise DataError(
            f"{run.folder} lists no picture of the {split} split; there must be one. After K folds every picture is learned from: "
            "give a run that was trained without --kfold."
        )
    if most is not None and len(examples) > most:
        # By content: neither the order of the listing nor the name of a picture decides.
        examples = sorted(examples, key=lambda one: (one.content_hash, str(one.path)))[:most]
    asked = ask(examples, run.manifest, work, reporter, name=split)
    if not asked.pictures:
        raise DataError(
            f"of the {counted(len(examples), 'picture')} of the {split} split of {run.folder} none can be read, such as "
            f"{examples[0].path}. Where they were moved, say where they lie now: --pictures FOLDER"
        )
    return asked


def ask_texts(
    examples: Sequence[Example], texts: Sequence[str], manifest: Manifest, *, most: int | None = None
) -> AskedSplit:
    """Texts of examples, N of each, or the first `most` of them by their content."""
    answering = task_of(manifest.task).answering
    rows = list(range(len(examples)))
    if most is not None and len(rows) > most:
        rows = sorted(rows, key=lambda row: (examples[row].content_hash, str(examples[row].path)))[:most]
    prepared: list[NDArray[Any]] = []
    items: list[AskedPicture] = []
    for row in rows:
        try:
            ready, place = answering.prepare(texts[row], manifest.record)
        except PictureError:
            continue
        one = examples[row]
        items.append(
            AskedPicture(
                path=one.path, target=one.target, group=one.group, whole=place, places=(place,), start=len(prepared)
            )
        )
        prepared.append(ready)
    inputs = np.array([one.item() for one in prepared], dtype=object)
    return AskedSplit(
        inputs=inputs,
        inputs_file=Path(),
        pictures=tuple(items),
        preprocessing=None,
        tiled=False,
        unread=len(rows) - len(items),
    )


def ask(examples: Sequence[Example], manifest: Manifest, work: Path, reporter: Reporter, *, name: str) -> AskedSplit:
    """Any pictures, whose inputs are put into the folder `work` under `name`. Raises: StorageError."""
    preprocessing = manifest.preprocessing.plain()
    file, size = work / f"{name}-{INPUTS}", preprocessing.size
    pictures: list[AskedPicture] = []
    start = 0
    with storage_errors(file), file.open("wb") as out, reporter.step("Preparing", len(examples)) as advance:
        for example, prepared in _prepared(examples, manifest, preprocessing):
            advance(1)
            if prepared is None:
                continue
            tiles, whole, places = prepared
            _write(out, tiles)
            pictures.append(
                AskedPicture(
                    path=example.path,
                    target=example.target,
                    group=example.group,
                    whole=whole,
                    places=places,
                    start=start,
                )
            )
            start += len(places)
    shape = (start, size, size, 3)
    return AskedSplit(
        inputs=np.memmap(file, dtype=np.uint8, mode="r", shape=shape) if start else np.zeros(shape, dtype=np.uint8),
        inputs_file=file,
        pictures=tuple(pictures),
        preprocessing=preprocessing,
        tiled=in_tiles(preprocessing),
        unread=len(examples) - len(pictures),
    )


_Ready = tuple[Iterator[NDArray[np.uint8]], Placement, tuple[Placement, ...]]


def _prepared(
    examples: Sequence[Example], manifest: Manifest, inputs: Preprocessing
) -> Iterator[tuple[Example, _Ready | None]]:
    """Each picture as the network gets it, in order, decoded a few ahead; None for one that cannot be read."""
    answering = task_of(manifest.task).answering

    def prepare(example: Example) -> tuple[Example, _Ready | None]:
        try:
            data = read_bytes(example.path)
            if in_tiles(inputs):
                picture = cut_picture(data, inputs, beyond=merging_of(answering).beyond)
                starts = range(0, len(picture.places), BATCH)
                tiles = (picture.tiles(at, at + BATCH) for at in starts)
                return example, (tiles, picture.whole, picture.places)
            pixels, place = answering.prepare(data, inputs)
            return example, (iter([pixels[None]]), place, (place,))
        except (OSError, PictureError):
            return example, None

    return in_order(examples, prepare, workers=cores(), name="prepare")


def _write(out: BinaryIO, parts: Iterator[NDArray[np.uint8]]) -> None:
    for part in parts:
        out.write(np.ascontiguousarray(part).data)
