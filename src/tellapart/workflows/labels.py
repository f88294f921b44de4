"""Which labels to look at again. In: a folder or CSV. Out: DoubtfulLabels, a CSV. Next: evaluate.py.

The classifier is the probe on cached features, fitted without the pictures that it judges, so that a second look costs seconds.
A task with a head of its own judges by first answers instead, in minutes.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tellapart.answers.formulas import csv_text
from tellapart.data.corrections import path_in
from tellapart.data.dataset import unsplit
from tellapart.data.examples import ReadOptions, known_classes
from tellapart.data.packed_pictures import PicturesOf
from tellapart.data.readers import READERS
from tellapart.data.survey import Examined
from tellapart.errors import DataError, SettingsError, StorageError
from tellapart.evaluation.doubts import Doubted, NamedDoubt
from tellapart.features.backbone import PendingBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.embedding import embed_pictures
from tellapart.features.engine import choose_device
from tellapart.half_rows import IN_MEMORY, Rows, from_column, half_rows, part
from tellapart.reporter import Reporter
from tellapart.settings.reading import make_settings
from tellapart.storage import cache_folder, write_bytes
from tellapart.tasks.table import TASKS, task_of
from tellapart.tasks.task import DoubtByTraining, DoubtTexts, Task
from tellapart.threads import import_ahead, let_waiting_threads_sleep
from tellapart.workflows.learning.examine import examine
from tellapart.workflows.learning.value_range import cropped_backbone

_TEXT = "text"  # a further column, where what is judged are texts
_SHOWN_LETTERS = 300  # of one
COLUMNS = ("path", "label", "suggested", "probability of label", "probability of suggested", "kind", "score")

_BACKBONE = "tf_efficientnet_lite0"
_FOLDS = 5
_FOUND = ReadOptions()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DoubtfulLabels:
    """An audit, and the pictures whose labels a person should look at again."""

    examined: Examined
    indices: tuple[int, ...]  # row of the report -> index into the listing's entries
    report: Doubted
    backbone: str

    def record(self, doubt: NamedDoubt) -> dict[str, Any]:
        """One doubt with names, by COLUMNS; probabilities are None where nothing could judge the picture."""
        listing = self.examined.listing
        values = (
            path_in(listing.folder, listing.entries[self.indices[doubt.row]].path),
            doubt.label,
            doubt.suggested,
            _number(doubt.probability_of_label),
            _number(doubt.probability_of_suggested),
            doubt.kind,
            _number(doubt.score),
        )
        record = dict(zip(COLUMNS, values, strict=True))
        text = listing.entries[self.indices[doubt.row]].text
        return record if text is None else {**record, _TEXT: " ".join(text[:_SHOWN_LETTERS].split())}

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of what `record` tells."""
        texts = any(self.examined.listing.entries[index].text is not None for index in self.indices[:1])
        return (*COLUMNS, _TEXT) if texts else COLUMNS

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "backbone": self.backbone,
            "judged": self.report.judged,
            "not_judged": len(self.indices) - self.report.judged,
            "agreement": _number(self.report.agreement),
            **({"told": self.report.lead} if self.report.lead else {}),
            "wrong": self._keyed(self.report.wrong),
            "outliers": self._keyed(self.report.outliers),
            "ambiguous": self._keyed(self.report.ambiguous),
        }

    def _keyed(self, doubts: Sequence[NamedDoubt]) -> list[dict[str, Any]]:
        return [
            {name.replace(" ", "_"): value for name, value in self.record(doubt).items()}
            | ({"told": doubt.told} if doubt.told else {})
            for doubt in doubts
        ]


def doubt_labels(
    pictures: Path,
    *,
    corrections: Path | None = None,
    backbone: str = _BACKBONE,
    weights: Path | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    seed: int = 0,
    tiles: bool = False,
    reporter: Reporter,
    options: ReadOptions = _FOUND,
) -> DoubtfulLabels:
    """Audit pictures and look for labels that are probably wrong, outliers and ambiguous pictures; boxes perhaps in `tiles`.

    Raises: DataError where there are fewer than two classes; BackboneError, SettingsError, StorageError.
    """
    let_waiting_threads_sleep()
    chosen = choose_device(device)
    with open_cache(reporter) as cache:
        pending = prepare_backbone(backbone, cache=cache_folder(), weights=weights)
        ahead = import_ahead("scipy.optimize")  # while pictures are read
        try:
            examined = examine(
                pictures, corrections=corrections, cache=cache, reporter=reporter, options=options, look="always"
            )
            usable = [index for index, inspection in enumerate(examined.inspections) if not inspection.problem]
            task = _check(examined, usable, tiles=tiles)
            if task.doubt_texts is not None:
                _check_no_network(backbone=backbone, weights=weights, device=device)
                return _judge_texts(task.doubt_texts, task, examined, usable, seed=seed, reporter=reporter)
            if task.head is not None and task.head.doubt is not None:
                how: dict[str, Any] = {"device": chosen, "seed": seed, "tiles": tiles, "reporter": reporter}
                return _judge_by_training(task, task.head.doubt, examined, pending, **how)
            problems, embedded = _embed(examined, usable, pending, chosen, cache, reporter)
            rows = [row for row in range(len(usable)) if row not in problems]
            indices = [usable[row] for row in rows]
            ahead.join()  # of a package with circles, two threads that import it get halves
            vectors = from_column(part(embedded, np.array(rows, dtype=np.int64)), sum(pending.wait().stages))
            return _judge(examined, indices, vectors, backbone=backbone, seed=seed, reporter=reporter)
        finally:
            pending.cancel()


def write_doubts(path: Path, doubtful: DoubtfulLabels, *, force: bool) -> None:
    """Write all doubts as a CSV that a person corrects and `tellapart train --labels` takes back.

    Raises: StorageError when the file exists and `force` is not set, or the folder refuses.
    """
    check_out(path, force=force)
    text = csv_text(doubtful.columns, map(doubtful.record, doubtful.report.doubts))
    # With a byte order mark: this file is made to be opened in a spreadsheet, and Excel takes it for Latin without one.
    write_bytes(path, b"\xef\xbb\xbf" + text.encode("utf-8", "surrogateescape"))


def check_out(path: Path, *, force: bool) -> None:
    """Raises: StorageError when the file exists and `force` is not set: it may hold corrections made by hand."""
    if path.is_dir():
        raise StorageError(f"{path} is a folder, not a file. Choose another name.")
    if path.exists() and not force:
        raise StorageError(f"{path} exists already. Choose another name, or give --force to replace it.")


def _check(examined: Examined, usable: Sequence[int], *, tiles: bool) -> Task:
    task = TASKS.get(examined.listing.task)
    if task is None or (
        task.doubt is None and task.doubt_texts is None and (task.head is None or task.head.doubt is None)
    ):
        raise SettingsError(f"labels of the task {examined.listing.task} cannot be doubted. Leave --labels out.")
    if task.doubt is None and task.doubt_texts is None:
        return task
    if tiles:
        raise SettingsError(
            f"--tiles is given, which is for boxes in large pictures, and these are of the task {task.name}. Leave --tiles out."
        )
    item = READERS[task.name].words.item
    labels = {examined.listing.entries[index].target.text for index in usable}
    if len(labels) < 2:
        raise DataError(
            f"{examined.listing.source} has {len(labels)} class{'' if len(labels) == 1 else 'es'} with a {item} that can be "
            f"read; a label can only be doubted beside another one. Add {item}s of a second class, or leave --labels out."
        )
    return task


def _check_no_network(*, backbone: str, weights: Path | None, device: str) -> None:
    """Raises: SettingsError for what is about a network, where there is none."""
    for flag, given in (
        ("--weights", weights),
        ("--backbone", None if backbone == _BACKBONE else backbone),
        ("--device", None if device == "auto" else device),
    ):
        if given is not None:
            raise SettingsError(
                f"{flag} is {str(given)!r}, which is about a network that looks at pictures, and these are texts, judged by their "
                "n-grams. Leave it out."
            )


def _judge_texts(
    doubt: DoubtTexts, task: Task, examined: Examined, usable: Sequence[int], *, seed: int, reporter: Reporter
) -> DoubtfulLabels:
    """Of a task whose items need no backbone."""
    entries = [examined.listing.entries[index] for index in usable]
    classes = tuple(sorted(known_classes(entry.target for entry in entries)))
    with reporter.step("Judging labels", _FOLDS) as advance:
        report = doubt(
            [entry.text or "" for entry in entries],
            task.encode([entry.target for entry in entries], classes),
            [examined.audit.groups[index] for index in usable],
            classes=classes,
            folds=_FOLDS,
            seed=seed,
            advance=advance,
        )
    return DoubtfulLabels(examined=examined, indices=tuple(usable), report=report, backbone="n-grams")


def _judge_by_training(
    task: Task,
    doubt: DoubtByTraining,
    examined: Examined,
    pending: PendingBackbone,
    *,
    device: str,
    seed: int,
    tiles: bool,
    reporter: Reporter,
) -> DoubtfulLabels:
    """Of a task whose first answer is a head of its own: it learns from some pictures and judges the others."""
    dataset = unsplit(examined, encode=task.encode)
    ready = cropped_backbone(examined, dataset.indices.tolist(), pending, reporter)
    told: dict[str, Any] = {"data": str(examined.listing.source), "backbone": ready.name, "seed": seed}
    told |= {"strategy": "probe", "network": {"fit": "tile"} if tiles else {}}
    with tempfile.TemporaryDirectory(prefix="tellapart-") as work:
        settings = task.suit(task.prefer(make_settings(told)), dataset)
        report = doubt(settings, dataset, ready, Path(work), device, reporter)
    return DoubtfulLabels(
        examined=examined, indices=tuple(dataset.indices.tolist()), report=report, backbone=ready.name
    )


def _embed(
    examined: Examined, usable: Sequence[int], pending: PendingBackbone, device: str, cache: Cache, reporter: Reporter
) -> tuple[Mapping[int, str], Rows]:
    """Why some rows have no embedding, and those of all, [N, D]; of very many pictures on disk."""
    ready = cropped_backbone(examined, usable, pending, reporter)
    pictures = PicturesOf(examined.listing.entries, examined.inspections, np.array(usable, dtype=np.int64))
    large = 4 * len(pictures) * ready.embedding > IN_MEMORY
    into = half_rows(len(pictures), ready.embedding) if large else None
    found = embed_pictures(pictures, ready, device, cache, reporter, title="Computing embeddings", into=into)
    return found.problems, found.vectors if into is None else into


def _judge(
    examined: Examined,
    indices: list[int],
    vectors: Rows,
    *,
    backbone: str,
    seed: int,
    reporter: Reporter,
) -> DoubtfulLabels:
    task = task_of(examined.listing.task)
    if task.doubt is None:
        raise SettingsError(f"labels of the task {task.name} cannot be doubted. Leave --labels out.")
    targets = [examined.listing.entries[index].target for index in indices]
    classes = tuple(sorted(known_classes(targets)))
    groups = [examined.audit.groups[index] for index in indices]
    with reporter.step("Judging labels", _FOLDS) as advance:
        report = task.doubt(
            vectors,
            task.encode(targets, classes),
            groups,
            classes=classes,
            folds=_FOLDS,
            seed=seed,
            advance=advance,
        )
    return DoubtfulLabels(examined=examined, indices=tuple(indices), report=report, backbone=backbone)


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 6)
