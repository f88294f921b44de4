"""A trained model against labelled pictures. In: a model, pictures. Out: EvaluateResult. Next: demo.py.

Pictures that the model was trained on would flatter it. Where the run's examples.csv lies beside the model, they are
recognised by their pixels and counted, and the score is given without them too. A changed copy is not recognised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.given import GivenItem
from tellapart.answers.items import PathItem
from tellapart.answers.predictor import Predictor, load_predictor
from tellapart.bundle import Manifest, TaskName
from tellapart.data.content import stored_hash
from tellapart.data.examples import SPLITS, Entry, ReadOptions, Split, known_classes, short_path
from tellapart.data.faults import fault_sentences
from tellapart.data.names import known_as, renamed
from tellapart.data.readers import READERS
from tellapart.data.remembered import TARGET
from tellapart.data.survey import Examined
from tellapart.data.targets import Target
from tellapart.errors import DataError, PictureError, SettingsError
from tellapart.features.caching import open_cache
from tellapart.reporter import Reporter, counted
from tellapart.runs.open import OpenRun
from tellapart.sources.reading import read_bytes
from tellapart.tasks.table import task_of
from tellapart.workflows.learning.examine import examine

_FOUND = ReadOptions()

_NAMED = 10  # classes that a message lists


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateResult:
    """The metrics on all the pictures, and on those that the model has not seen."""

    task: TaskName
    n: int
    unreadable: int
    seen: int | None  # pictures that the model was trained or tuned on; None where that cannot be known
    metrics: dict[str, Any]
    metrics_unseen: dict[str, Any] | None  # None where none was seen, or all were
    notes: tuple[str, ...]  # how the pictures were read, where that is not plain, in sentences
    renamed: dict[str, str]  # class names of the pictures -> the model's that they are nearly the same as

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "task": self.task,
            "n": self.n,
            "unreadable": self.unreadable,
            "seen_in_training": self.seen,
            "metrics": self.metrics,
            "metrics_unseen": self.metrics_unseen,
            "renamed": self.renamed,
            "notes": list(self.notes),
        }


def evaluate(
    model: Path,
    pictures: Path,
    *,
    split: Split | None,
    reporter: Reporter,
    seed: int = 0,
    options: ReadOptions = _FOUND,
    out: Path | None = None,
) -> EvaluateResult:
    """Score `model` on labelled pictures, or on one split of them; with `out`, write what it says of each to that file.

    Without `options.task` the pictures must not look like another task's, as in training.
    Raises: DataError when there is nothing to score, or a label is none of the model's classes; SettingsError for a task that is
    not the model's.
    """
    predictor = load_predictor(model)
    task = task_of(predictor.manifest.task)
    _check_asked(split, options.task, task.name, model)
    options = replace(options, task=task.name, task_of_model=options.task is None)
    learned = _learned(OpenRun(model))
    examined, named = _examine(pictures, predictor, options, learned, reporter)
    chosen = _choose(examined, predictor.classes, split, learned or {})
    entries = [examined.listing.entries[index] for index in chosen]
    answers, read = _predict(predictor, entries, pictures, reporter, task.judge)
    targets = [entries[row].target for row in read]
    groups = np.array([examined.audit.groups[chosen[row]] for row in read])
    seen = None if learned is None else _seen(examined, [chosen[row] for row in read], learned)

    def measure(rows: NDArray[np.bool_]) -> dict[str, Any]:
        there = np.flatnonzero(rows).tolist()
        return task.score(
            predictor.manifest,
            [answers[row] for row in there],
            [targets[row] for row in there],
            groups=groups[rows],
            seed=seed,
        )

    if out is not None:
        task.write_answers(out, predictor.manifest, [entries[row] for row in read], answers)
    some_seen = seen is not None and bool(seen.any()) and not bool(seen.all())
    return EvaluateResult(
        task=task.name,
        n=len(read),
        unreadable=len(entries) - len(read),
        seen=None if seen is None else int(seen.sum()),
        metrics=measure(np.ones(len(read), dtype=np.bool_)),
        metrics_unseen=measure(~seen) if some_seen and seen is not None else None,
        notes=(*examined.listing.notes, *_faults(examined, reporter), *_warned(answers, pictures, reporter)),
        renamed=named,
    )


def _check_asked(split: str | None, told: TaskName | None, learned: TaskName, model: Path) -> None:
    """Raises: SettingsError for a split that there is not, or a task that the model did not learn."""
    if split is not None and split not in SPLITS:
        raise SettingsError(f"the split is {split!r}; it must be one of {', '.join(SPLITS)}, or left out.")
    if told not in (None, learned):
        raise SettingsError(
            f"the task is {told!r}, and {model} learned {learned}. Leave --task out, or test a model of that task."
        )


def _examine(
    pictures: Path,
    predictor: Predictor,
    options: ReadOptions,
    learned: Mapping[str, str] | None,
    reporter: Reporter,
) -> tuple[Examined, dict[str, str]]:
    """The pictures, with their classes called as the model calls them, and which of these were called otherwise."""
    with open_cache(reporter) as cache:
        examined = examine(pictures, cache=cache, reporter=reporter, options=options)
    named = known_as(
        known_classes(entry.target for entry in examined.listing.entries),
        predictor.classes,
        predictor.manifest.data.merged,
    )
    examined = replace(examined, listing=renamed(examined.listing, named))
    if learned and predictor.takes_pictures and predictor.manifest.preprocessing.colour == "stored":
        examined = _as_stored(examined, learned)
    return examined, named


def _seen(examined: Examined, indices: Sequence[int], learned: Mapping[str, str]) -> NDArray[np.bool_]:
    """Which of the pictures at `indices` [n] the model was trained or tuned on."""
    splits = [learned.get(examined.inspections[index].content_hash) for index in indices]
    return np.array([split in ("train", "validation") for split in splits], dtype=np.bool_)


def _as_stored(examined: Examined, learned: Mapping[str, str]) -> Examined:
    """The same with the content hashes of before colour profiles were followed, for pictures that the run may know by them."""
    inspections = [
        replace(inspection, content_hash=_stored(entry.path) or inspection.content_hash)
        if (inspection.profile or inspection.depth) and inspection.content_hash not in learned
        else inspection
        for entry, inspection in zip(examined.listing.entries, examined.inspections, strict=True)
    ]
    return replace(examined, inspections=inspections)


def _stored(path: Path) -> str:
    try:
        return stored_hash(read_bytes(path), target=TARGET)
    except (OSError, PictureError):  # it has vanished since; what predicts will say so
        return ""


def _choose(examined: Examined, classes: tuple[str, ...], split: Split | None, learned: Mapping[str, str]) -> list[int]:
    """Indices of the entries to score; without splits of their own, pictures have those that the run gave them."""
    entries, inspections = examined.listing.entries, examined.inspections
    given = any(entry.split for entry in entries)
    chosen = [
        index
        for index, (entry, inspection) in enumerate(zip(entries, inspections, strict=True))
        if split is None or split == (entry.split if given else learned.get(inspection.content_hash))
    ]
    if not chosen:
        wanted, item = f" of the {split} split" if split else "", READERS[examined.listing.task].words.item
        raise DataError(
            f"{examined.listing.source} holds no {item}{wanted}. Give {item}s that are split, or that the model's run split "
            "(its examples.csv must lie beside the model), or leave --split out."
            if split
            else f"{examined.listing.source} holds no {item}. Give a folder with one folder a class, or a table."
        )
    _check_known([entries[index] for index in chosen], classes, READERS[examined.listing.task].words.item)
    return chosen


def _check_known(entries: Sequence[Entry], classes: tuple[str, ...], item: str) -> None:
    """Raises: DataError where a target names what is none of the model's classes."""
    holding: dict[str, list[Path]] = {}
    for entry in entries:
        for name in set(entry.target.classes).difference(classes):
            holding.setdefault(name, []).append(entry.path)
    if not holding:
        return
    first, *others = sorted(holding)
    more = f" and {len(classes) - _NAMED:,} more" if len(classes) > _NAMED else ""
    listed = ", ".join(f"{name!r} of {counted(len(holding[name]), item)}" for name in others[:_NAMED])
    further = f" Nor {'is' if len(others) == 1 else 'are'} {listed}{' ...' * (len(others) > _NAMED)}." if others else ""
    raise DataError(
        f"the label {first!r}, of {counted(len(holding[first]), item)} such as {holding[first][0]}, is none of the model's "
        f"classes ({', '.join(classes[:_NAMED])}{more}).{further} Call {'them' if others else 'it'} as the model does, or leave "
        f"those {item}s out."
    )


def _faults(examined: Examined, reporter: Reporter) -> list[str]:
    """What is wrong with boxes as they were given, in sentences: some pictures may be left out, and some boxes moved."""
    listing = examined.listing
    found = list(fault_sentences(listing.faults, lambda path: short_path(path, listing.source), warned=True))
    for sentence in found:
        reporter.say(sentence)
    return found


def _warned(answers: Sequence[Any], source: Path, reporter: Reporter) -> list[str]:
    """What to know of how pictures were read, such as values beyond the model's range, in one sentence or none."""
    warned = [answer for answer in answers if answer.warning]
    if not warned:
        return []
    first = warned[0]
    sentence = (
        f"{counted(len(warned), 'picture')} {'was' if len(warned) == 1 else 'were'} read with a warning, such as "
        f"{short_path(Path(first.path), source)}: {first.warning}. `tellapart predict` tells each."
    )
    reporter.say(sentence)
    return [sentence]


def _predict(
    predictor: Predictor,
    entries: list[Entry],
    pictures: Path,
    reporter: Reporter,
    judge: Callable[[Manifest, Any, Target], Any],
) -> tuple[list[Any], list[int]]:
    """What `judge` keeps of the answers to the n entries that can be read, and their positions.

    Raises: DataError where none can.
    """
    read, answers = [], []
    with reporter.step("Predicting", len(entries)) as advance:
        for index, row in enumerate(predictor.stream(map(_item, entries))):
            if not row.error:
                read.append(index)
                answers.append(judge(predictor.manifest, row, entries[index].target))
            advance(1)
    if not read:
        item = predictor.answering.item
        raise DataError(f"of {counted(len(entries), item)} in {pictures} none can be read. `tellapart check` says why.")
    return answers, read


def _item(entry: Entry) -> PathItem | GivenItem:
    """What is predicted of an entry: its text, where it has one, or what its path leads to."""
    if entry.text is not None:
        return GivenItem(data=entry.text, path=str(entry.path))
    return PathItem(path=str(entry.path), named=True)


def _learned(run: OpenRun) -> dict[str, str] | None:
    """Content hash -> split, from the run's list of pictures beside the model; None where there is none."""
    if not run.lists_examples:
        return None
    return {example.content_hash: example.split for example in run.examples if example.split}
