"""The pictures of a report. In: RunRecord. Out: DataPart, mistakes, LabelsPart, MapPart. Next: runs/embeddings.py."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.examples import SPLITS, Example
from tellapart.errors import ModelFileError, PictureError
from tellapart.evaluation.labels import LabelReport
from tellapart.evaluation.projection import project
from tellapart.explanation.activation import ClassActivation
from tellapart.explanation.overlay import overlay
from tellapart.preprocessing import Preprocessing, load
from tellapart.reporting.facts import ClassRow, DataPart, LabelsPart, MapPart, Shown
from tellapart.reporting.pictures import address, sprites, thumbnails
from tellapart.runs.record import RunRecord
from tellapart.tasks.classification.results import worst_rows

SIDE, LARGE_SIDE, DOT_SIDE = 96, 160, 40  # pixels
MAP_PICTURES = 2_000
_CLASSES, _SAMPLES = 24, 8  # classes that pictures are shown of, and how many of each
_CLUSTERS, _IN_CLUSTER = 6, 4
_LISTED = 20
_MISTAKES, _WRONG, _OTHERS = 12, 18, 8

Captioned = tuple[Path, str, str, float | None]  # path, label, predicted, probability


class Album:
    """Thumbnails by path, each made once."""

    def __init__(self) -> None:
        self._addresses: dict[tuple[Path, int], str | None] = {}

    def show(self, asked: Sequence[Captioned], *, side: int = SIDE) -> list[Shown]:
        """Pictures as the page shows them; one that is gone keeps its place."""
        new = list(dict.fromkeys(path for path, *_ in asked if (path, side) not in self._addresses))
        for path, image in zip(new, thumbnails(new, side=side), strict=True):
            self._addresses[path, side] = None if image is None else address(image)
        return [
            Shown(
                name=path.name,
                picture=self._addresses[path, side],
                label=label,
                predicted=predicted,
                probability=chance,
            )
            for path, label, predicted, chance in asked
        ]


def data_part(run: RunRecord, rows: Sequence[ClassRow], album: Album) -> DataPart:
    """Counts, samples, sizes, what could not be read, copies."""
    audit, sizes = run.audit, run.audit["sizes"]
    label_of = {str(example.path): example.label for example in run.examples}

    def clusters(groups: Sequence[Sequence[str]]) -> list[list[Shown]]:
        return [
            album.show([(Path(path), label_of.get(path, ""), "", None) for path in group[:_IN_CLUSTER]])
            for group in groups[:_CLUSTERS]
        ]

    counts = [sum(getattr(row, split) for row in rows) for split in SPLITS]
    return DataPart(
        n=sum(counts),
        n_classes=len(rows),
        splits=(counts[0], counts[1], counts[2]),
        samples=_samples(run, rows, album),
        widths=_range(sizes, "width"),
        heights=_range(sizes, "height"),
        formats=sorted(audit["formats"].items(), key=lambda item: -item[1]),
        unreadable=[(one["path"], one["reason"]) for one in audit["unreadable"][:_LISTED]],
        n_unreadable=len(audit["unreadable"]),
        n_exact=audit["duplicates"],
        n_near=len(audit["near_copies"]),
        copies=clusters(audit["near_copies"]),
        leaks=clusters([one["paths"] for one in audit["leaks"]]),
        n_leaks=len(audit["leaks"]),
        two_labels=clusters([one["paths"] for one in audit["two_labels"]]),
        n_two_labels=len(audit["two_labels"]),
    )


def _range(sizes: dict[str, Any], side: str) -> tuple[int, int, int] | None:
    least = sizes.get(f"least_{side}")
    return None if not least else (int(least), int(sizes[f"most_{side}"]), int(sizes[f"median_{side}"]))


def _samples(run: RunRecord, rows: Sequence[ClassRow], album: Album) -> list[tuple[str, Sequence[Shown]]]:
    """A few pictures of each class, or of the worst recognised ones; which, depends on their contents alone."""
    chosen = rows if len(rows) <= _CLASSES else worst_rows(rows, _CLASSES)
    of_class: dict[str, list[Example]] = {row.name: [] for row in chosen}
    for example in run.examples:
        if not example.problem and example.label in of_class:
            of_class[example.label].append(example)
    samples: list[tuple[str, Sequence[Shown]]] = []
    for name, examples in of_class.items():
        drawn = sorted(examples, key=lambda example: zlib.crc32(example.content_hash.encode()))[:_SAMPLES]
        samples.append((name, album.show([(example.path, name, "", None) for example in drawn])))
    return samples


def worst_mistakes(run: RunRecord, album: Album) -> tuple[list[Shown], bool]:
    """The most confident mistakes, and whether a heatmap could be laid over them."""
    predicted = run.probabilities.argmax(axis=1)
    sure = run.probabilities.max(axis=1)
    rows = np.flatnonzero(predicted != run.labels)
    rows = rows[np.argsort(-sure[rows], kind="stable")][:_MISTAKES]
    asked: list[Captioned] = [
        (run.tested[row], run.classes[run.labels[row]], run.classes[predicted[row]], float(sure[row]))
        for row in rows.tolist()
    ]
    shown = album.show(asked, side=LARGE_SIDE)
    heats = _heats(run, [path for path, *_ in asked], predicted[rows])
    if heats is None:
        return shown, False
    return [_with_heat(one, heat) for one, heat in zip(shown, heats, strict=True)], True


def _heats(run: RunRecord, paths: Sequence[Path], classes: NDArray[np.int64]) -> list[str | None] | None:
    """Overlays of Grad-CAM for the predicted class; None for a network that has no map to take it from."""
    if not paths:
        return None
    preprocessing = run.manifest.preprocessing.plain()
    images = [_read(path, preprocessing) for path in paths]
    usable = [number for number, image in enumerate(images) if image is not None]
    if not usable:
        return None
    try:
        heatmaps = ClassActivation(run.folder / "model.onnx")(
            np.stack([image for image in images if image is not None]), classes[usable]
        )
    except ModelFileError:
        return None
    heats: list[str | None] = [None] * len(paths)
    for number, heatmap in zip(usable, heatmaps, strict=True):
        image = images[number]
        if image is not None:
            small = Image.fromarray(overlay(image, heatmap)).resize((LARGE_SIDE, LARGE_SIDE), Image.Resampling.LANCZOS)
            heats[number] = address(small)
    return heats


def _read(path: Path, preprocessing: Preprocessing) -> NDArray[np.uint8] | None:
    try:
        return load(path.read_bytes(), preprocessing)
    except (OSError, PictureError):
        return None


def _with_heat(shown: Shown, heat: str | None) -> Shown:
    return Shown(
        name=shown.name,
        picture=shown.picture,
        label=shown.label,
        predicted=shown.predicted,
        probability=shown.probability,
        heat=heat,
    )


def labels_part(
    run: RunRecord, examples: Sequence[Example], found: LabelReport, n_all: int, album: Album
) -> LabelsPart:
    """The most doubtful of `examples`, which the rows of `found` count."""

    def shown(doubts: Sequence[Any], most: int) -> list[Shown]:
        return album.show(
            [
                (
                    examples[one.row].path,
                    run.classes[one.label],
                    run.classes[one.suggested],
                    one.probability_of_suggested,
                )
                for one in doubts[:most]
            ]
        )

    return LabelsPart(
        n=len(examples),
        n_all=n_all,
        wrong=shown(found.wrong, _WRONG),
        outliers=shown(found.outliers, _OTHERS),
        ambiguous=shown(found.ambiguous, _OTHERS),
        counts=(len(found.wrong), len(found.outliers), len(found.ambiguous)),
    )


def map_part(
    run: RunRecord, examples: Sequence[Example], vectors: NDArray[np.float32], n_all: int, *, own: bool
) -> MapPart:
    """Dots for at most 2,000 of `examples`, whose embeddings are `vectors`."""
    chosen = np.arange(len(examples))
    if len(examples) > MAP_PICTURES:
        chosen = np.sort(np.random.default_rng(run.settings.seed).choice(len(examples), MAP_PICTURES, replace=False))
    places = np.rint(project(vectors[chosen], seed=run.settings.seed) * 1000).astype(int)
    number = {name: index for index, name in enumerate(run.classes)}
    kept = [examples[row] for row in chosen.tolist()]
    return MapPart(
        own=own,
        n=len(kept),
        n_all=n_all,
        points=[
            (int(x), int(y), number[example.label], SPLITS.index(example.split or "train"))
            for (x, y), example in zip(places.tolist(), kept, strict=True)
        ],
        names=[example.path.name for example in kept],
        classes=list(run.classes),
        sprites=sprites(thumbnails([example.path for example in kept], side=DOT_SIDE), side=DOT_SIDE),
    )
