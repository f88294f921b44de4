"""A trained model against labelled pictures. In: a model, pictures. Out: EvaluateResult. Next: demo.py.

Pictures that the model was trained on would flatter it. Where the run's examples.csv lies beside the model, they are
recognised by content and counted, and the score is given without them too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.examples import Entry, Split
from tellapart.data.examples_csv import read_examples
from tellapart.errors import DataError
from tellapart.evaluation.metrics import evaluate as score
from tellapart.workflows.caching import open_cache
from tellapart.workflows.examine import Examined, examine
from tellapart.workflows.predict import Classifier, Source, load_classifier
from tellapart.workflows.reporter import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateResult:
    """The metrics on all the pictures, and on those that the model has not seen."""

    n: int
    unreadable: int
    seen: int | None  # pictures that the model was trained or tuned on; None where that cannot be known
    metrics: dict[str, Any]
    metrics_unseen: dict[str, Any] | None  # None where none was seen, or all were

    def as_json(self) -> dict[str, Any]:
        """One JSON-ready object."""
        return {
            "n": self.n,
            "unreadable": self.unreadable,
            "seen_in_training": self.seen,
            "metrics": self.metrics,
            "metrics_unseen": self.metrics_unseen,
        }


def evaluate(model: Path, pictures: Path, *, split: Split | None, reporter: Reporter, seed: int = 0) -> EvaluateResult:
    """Score `model` on labelled pictures, or on one split of them.

    Raises: DataError when there is nothing to score, or a label is none of the model's classes.
    """
    classifier = load_classifier(model)
    with open_cache() as cache:
        examined = examine(pictures, cache=cache, reporter=reporter)
    chosen = _choose(examined, classifier, split)
    entries = [examined.listing.entries[index] for index in chosen]
    probabilities, read = _predict(classifier, entries, reporter)
    if not read:
        raise DataError(f"none of the {len(entries)} pictures in {pictures} can be read. `tellapart check` says why.")
    number = {label: index for index, label in enumerate(classifier.classes)}
    labels = np.array([number[entries[row].label] for row in read], dtype=np.int64)
    groups = np.array([examined.audit.groups[chosen[row]] for row in read])
    seen = _seen(model, [examined.inspections[chosen[row]].content_hash for row in read])

    def measure(rows: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[str, Any]:
        return score(
            probabilities[rows], None, labels[rows], classes=classifier.classes, groups=groups[rows], seed=seed
        )

    some_seen = seen is not None and bool(seen.any()) and not bool(seen.all())
    return EvaluateResult(
        n=len(read),
        unreadable=len(entries) - len(read),
        seen=None if seen is None else int(seen.sum()),
        metrics=measure(np.ones(len(read), dtype=np.bool_)),
        metrics_unseen=measure(~seen) if some_seen and seen is not None else None,
    )


def _choose(examined: Examined, classifier: Classifier, split: Split | None) -> list[int]:
    entries = examined.listing.entries
    chosen = [index for index, entry in enumerate(entries) if split is None or entry.split == split]
    if not chosen:
        wanted = f" in its {split} split" if split else ""
        raise DataError(f"{examined.listing.source} holds no picture{wanted}. Give a folder with one folder a class.")
    unknown = sorted({entries[index].label for index in chosen} - set(classifier.classes))
    if unknown:
        raise DataError(
            f"the label {unknown[0]!r} is none of the model's classes ({', '.join(classifier.classes[:10])}). "
            "Rename the folder, or leave those pictures out."
        )
    return chosen


def _predict(
    classifier: Classifier, entries: list[Entry], reporter: Reporter
) -> tuple[np.ndarray[Any, np.dtype[np.float32]], list[int]]:
    read, rows = [], []
    with reporter.step("Predicting", len(entries)) as advance:
        for index, row in enumerate(classifier.stream(Source(path=str(entry.path), named=True) for entry in entries)):
            if row.probabilities is not None:
                read.append(index)
                rows.append(row.probabilities)
            advance(1)
    return np.array(rows, dtype=np.float32), read


def _seen(model: Path, content_hashes: list[str]) -> np.ndarray[Any, np.dtype[np.bool_]] | None:
    folder = model if model.is_dir() else model.parent
    if not (folder / "examples.csv").is_file():
        return None
    learned = {
        example.content_hash
        for example in read_examples(folder / "examples.csv")
        if example.split in ("train", "validation")
    }
    return np.array([content_hash in learned for content_hash in content_hashes], dtype=np.bool_)
