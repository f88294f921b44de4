"""Small copies of training pictures to ship with a model. In: a run, how many. Out: gallery.npz. Next: serving/gallery.py."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tellapart.data.examples import Example
from tellapart.errors import DataError, PictureError, SettingsError
from tellapart.features.caching import open_cache
from tellapart.preprocessing import Preprocessing, load
from tellapart.reporter import Reporter
from tellapart.runs.embeddings import embed_by_own
from tellapart.runs.open import EXAMPLES, OpenRun
from tellapart.serving.gallery import NAME, write_gallery
from tellapart.sources.reading import exists, read_bytes
from tellapart.tasks.table import task_of

_QUALITY = 80  # of the JPEG files: some 3 kB each at 96 pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was made."""

    path: Path
    pictures: int
    of: int  # different training pictures that there are
    classes: int  # with at least one picture
    size_bytes: int


def make_gallery(
    source: Path,
    *,
    out: Path | None = None,
    pictures: int = 2000,
    side: int = 96,
    seed: int = 0,
    reporter: Reporter,
    moved: Path | None = None,
) -> Written:
    """Write the gallery of a run's model, by default beside it. `side` in pixels; `moved` is where its pictures lie now, if moved.

    Raises: ModelFileError, SettingsError; DataError when there are no training pictures to be had; StorageError.
    """
    opened = OpenRun(source, pictures=moved)
    if opened.manifest.pictures is None:
        raise SettingsError(
            f"{opened.file} takes texts, and a gallery is of training pictures that are alike. Serve it without: its page colours "
            "the words."
        )
    if "probabilities" not in opened.manifest.record.promised:
        raise SettingsError(
            f"{opened.file} says where in a picture things are; training pictures are shown beside an answer about a picture as a "
            "whole. Give such a model, or serve this one without."
        )
    every = _training_pictures(opened)
    chosen = spread([example.target.text for example in every], pictures, seed=seed)
    with open_cache(reporter) as cache:
        vectors, kept = embed_by_own(opened, [every[row] for row in chosen], cache, reporter)
    examples = [every[chosen[row]] for row in kept]
    small = replace(opened.preprocessing, size=side)
    jpegs: dict[int, bytes] = {}
    with reporter.step("Making small copies", len(examples)) as advance:
        for row, example in enumerate(examples):
            jpeg = _small_copy(example.path, small)
            if jpeg is not None:
                jpegs[row] = jpeg
            advance(1)
    if not jpegs:
        raise DataError(f"none of the training pictures of {opened.folder} can be read any more. Put them back.")
    labels = task_of(opened.manifest.task).encode([examples[row].target for row in jpegs], opened.classes)
    several = labels.ndim == 2
    shown = {name for row in jpegs for name in examples[row].target.classes}
    path = out or opened.folder / NAME
    size = write_gallery(
        path,
        model=opened.file,
        # The last layer alone: of the nearest by it more are of the picture's class; see docs/results.md.
        embeddings=vectors[list(jpegs), sum(opened.manifest.backbone.stages) :],
        labels=labels == 1 if several else labels,
        jpegs=list(jpegs.values()),
    )
    return Written(path=path, pictures=len(jpegs), of=len(every), classes=len(shown), size_bytes=size)


def spread(labels: Sequence[str], count: int, *, seed: int) -> list[int]:
    """`count` rows drawn at random, as evenly over the labels as their numbers allow; in the order of the rows."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row in np.random.default_rng(seed).permutation(len(labels)).tolist():
        rows[labels[row]].append(row)
    # The first of every class, then the second of every class that has one, and so on.
    rounds = sorted((turn, label, row) for label, own in rows.items() for turn, row in enumerate(own))
    return sorted(row for _, _, row in rounds[:count])


def _training_pictures(opened: OpenRun) -> list[Example]:
    """Those that are where they were and of the model's classes, of copies one."""
    visitors, classes = _corrections(opened), set(opened.classes)
    different = {
        example.content_hash: example
        for example in reversed(opened.examples)
        if example.split == "train"
        and not example.problem
        and classes.issuperset(example.target.classes)
        and not (visitors and example.path.is_relative_to(visitors))
    }
    there = [example for example in reversed(different.values()) if exists(example.path)]
    if not there:
        path = opened.folder / EXAMPLES
        raise DataError(
            f"none of the {len(different):,} training pictures that {path} lists is where it was, such as "
            f"{next(iter(different.values())).path if different else 'the first of them'}. Say where they are: --pictures FOLDER."
        )
    return there


def _corrections(opened: OpenRun) -> Path | None:
    """The folder of pictures that visitors of the server sent: they allowed training on them, not showing them to others."""
    labels = opened.recipe.get("labels")
    return Path(labels) if isinstance(labels, str) and not labels.endswith(".csv") else None


def _small_copy(path: Path, preprocessing: Preprocessing) -> bytes | None:
    """The part that the network sees, without what a camera writes beside it; None where it cannot be read any more."""
    try:
        image = load(read_bytes(path), preprocessing)
    except (PictureError, OSError):
        return None
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
