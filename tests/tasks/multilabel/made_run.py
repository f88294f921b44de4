"""A finished run of sets made by hand. In: answers. Out: a run. Next: test_results.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.bundle import BackboneRecord, DataRecord, Manifest, MultilabelRecord, PreprocessingRecord, Score
from tellapart.data.examples import Example
from tellapart.data.targets import ClassNames, class_sets
from tellapart.runs.open import MODEL, OpenRun
from tellapart.runs.reading import PredictionTable
from tellapart.settings.reading import make_settings
from tellapart.tasks.multilabel.scoring import evaluate

CLASSES = ("ant", "bee", "cat")
THRESHOLDS = (0.5, 0.25, 0.75)
# Eight test pictures: what each shows ("?" before what is not known), and the probabilities of ant, bee and cat.
ANSWERS = [
    ("ant", (0.75, 0.125, 0.5)),
    ("ant|bee", (0.625, 0.75, 0.25)),
    ("ant|cat", (0.125, 0.125, 0.875)),  # ant missed
    ("bee", (0.875, 0.5, 0.125)),  # ant named, surely
    ("bee|cat", (0.25, 0.0625, 0.625)),  # bee missed most surely, cat missed
    ("", (0.25, 0.375, 0.125)),  # bee named
    ("cat|?ant", (0.9375, 0.125, 0.8125)),  # of the ant nothing is known
    ("", (0.0625, 0.125, 0.25)),
]


class MadeRun(OpenRun):
    """A run whose parts are given, not read."""

    def __init__(self, folder: Path, manifest: Manifest, **parts: Any) -> None:
        self.folder, self.file = folder, folder / MODEL
        self.manifest, self.preprocessing = manifest, manifest.preprocessing.plain()
        self.__dict__.update(parts)


def manifest(**record: Any) -> Manifest:
    given: dict[str, Any] = {
        "scales": (2.0, 1.0, 0.5),
        "offsets": (0.0, 1.0, -1.0),
        "thresholds": THRESHOLDS,
        "threshold_rule": "f1",
        "calibrated_on": 40,
        "known": Score(value=0.96, low=0.9, high=1.0),
    }
    return Manifest(
        task="multilabel",
        created="2026-03-04T05:06:07+00:00",
        strategy="probe",
        classes=CLASSES,
        preprocessing=PreprocessingRecord(
            size=16, crop=1.0, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
        ),
        backbone=BackboneRecord(
            name="tiny", embedding=3, weights_source="made here", weights_license="none", weights_fingerprint="0" * 64
        ),
        scores={},
        data=DataRecord(name="animals", fingerprint="1" * 64, n_train=16, n_validation=6, n_test=8),
        versions={"tellapart": "0.1.0"},
        record=MultilabelRecord(**given | record),
    )


AUDIT: dict[str, Any] = {
    "counts": {},
    "sizes": {},
    "formats": {"PNG": 8},
    "unreadable": [],
    "duplicates": 0,
    "near_copies": [],
    "leaks": [],
    "two_labels": [],
}


def run_of(
    answers: Sequence[tuple[str, Sequence[float]]] = ANSWERS,
    *,
    folder: Path = Path("/nowhere/run"),
    examples: Sequence[Example] = (),
    told: Manifest | None = None,
    metrics: dict[str, Any] | None = None,
    test: dict[str, Any] | None = None,
    audit: dict[str, Any] | None = None,
    common: Sequence[str] = ("ant", "bee"),
) -> MadeRun:
    """A run whose test pictures are called 0.png, 1.png ... `metrics`, `test` and `audit` replace what they name."""
    probabilities = np.array([chances for _, chances in answers], dtype=np.float32)
    texts = [text for text, _ in answers]
    targets = class_sets([ClassNames.read(text) for text in texts], CLASSES)
    scored = evaluate(
        probabilities,
        None,
        targets,
        classes=CLASSES,
        thresholds=np.array(THRESHOLDS),
        common=common,
        groups=None,
        seed=0,
    )
    return MadeRun(
        folder,
        told or manifest(),
        settings=make_settings({"data": "/nowhere/animals", "task": "multilabel"}),
        metrics={
            "test": scored | (test or {}),
            "test_without_leaked": None,
            "leaked": 0,
            "validation": [{"strategy": "probe", "log_loss": 0.7, "mean_average_precision": 0.8}],
            "training": {"probe": {}},
            "seconds": {"whole": 75.0},
        }
        | (metrics or {}),
        audit=AUDIT | (audit or {}),
        examples=list(examples),
        predictions=PredictionTable(
            source=folder / "predictions.csv",
            lines=list(range(2, len(answers) + 2)),
            paths=[folder / f"{row}.png" for row in range(len(answers))],
            targets=texts,
            answers=["" for _ in answers],
            probabilities=probabilities,
        ),
    )


def example(name: str, labels: str, split: Any = "train", *, problem: str = "") -> Example:
    return Example(
        path=Path(name),
        target=ClassNames.read(labels),
        split=None if problem else split,
        group="",
        content_hash=name,
        width=20,
        height=21,
        problem=problem,
    )
