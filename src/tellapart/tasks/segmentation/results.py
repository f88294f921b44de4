"""What the report of masks says of the test split. In: OpenRun. Out: MasksResultsPart, MasksVerdictPart. Next: charts.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tellapart.bundle import Score
from tellapart.data.examples import SPLITS
from tellapart.data.targets import MaskFile
from tellapart.reporting.advice import FEWEST, MOST, TRUSTED, WIDEST, about_size
from tellapart.reporting.facts import Said
from tellapart.reporting.matrix import cross_table
from tellapart.reporting.phrases import Phrases
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import pictures_tested
from tellapart.tasks.segmentation.charts import pictures_chart, reliability_chart, sizes_chart
from tellapart.tasks.segmentation.facts import AreaRow, MasksResultsPart, MasksVerdictPart
from tellapart.tasks.segmentation.scoring import HEADLINE

_SHARES = (HEADLINE, "dice", "pixel_accuracy", "precision", "recall", "boundary_f1")
_MOST_ROWS = 60  # of the table of classes
_LOWER_BY = 0.1  # a class's IoU below the mean, from which on more pictures with it come first
_FEW_DOUBTED = 0.2  # of the pictures; more doubted ones speak rather against the model


def area_rows(run: OpenRun) -> list[AreaRow]:
    """Every class, in the model's order."""
    shown = {split: dict.fromkeys(run.classes, 0) for split in SPLITS}
    areas = dict.fromkeys(run.classes, 0)
    for example in run.examples:
        if example.split is None or not isinstance(example.target, MaskFile):
            continue
        for name in example.target.classes:
            if name in areas:
                shown[example.split][name] += 1
                areas[name] += example.target.areas.get(name, 0) if example.split == "train" else 0
    whole, per_class = sum(areas.values()), run.metrics["test"]["per_class"]
    return [
        AreaRow(
            name=name,
            train=shown["train"][name],
            validation=shown["validation"][name],
            test=row["pictures"],
            share=areas[name] / whole if whole else None,
            pixels=row["pixels"],
            iou=_score(row["iou"]),
            dice=_value(row["dice"]),
            precision=_value(row["precision"]),
            recall=_value(row["recall"]),
            boundary_f1=_value(row["boundary_f1"]),
            hausdorff95=_value(row["hausdorff95"]),
            parts=row["parts"],
            told_parts=row["answered_parts"],
        )
        for name, row in ((name, per_class[name]) for name in run.classes)
    ]


def worst_rows(rows: Sequence[AreaRow], count: int) -> list[AreaRow]:
    """The classes with the lowest IoU, the lowest first; those without a pixel in the test come last."""
    return sorted(rows, key=lambda row: (2.0 if row.iou is None else row.iou.value, row.name))[:count]


def results_part(run: OpenRun, rows: Sequence[AreaRow], phrases: Phrases) -> MasksResultsPart:
    """Scores, classes, confusions of pixels and charts of the test split."""
    test = run.metrics["test"]
    named = {name: _score(test.get(name)) for name in _SHARES}
    lines = run.mask_predictions.lines
    charts = (pictures_chart(lines, phrases), reliability_chart(test, phrases), sizes_chart(test, phrases))
    return MasksResultsPart(
        scores=[(name, score) for name, score in named.items() if score is not None],
        distance=_score(test["hausdorff95"]),
        tolerance=test["boundary_tolerance"],
        count_error=test["count_error"],
        classes=rows if len(rows) <= _MOST_ROWS else worst_rows(rows, _MOST_ROWS),
        confusion=cross_table(list(run.classes), np.array(test["confusion"], dtype=np.int64)),
        charts=[chart for chart in charts if chart is not None],
    )


def verdict(run: OpenRun, rows: Sequence[AreaRow], *, doubted: int) -> MasksVerdictPart:
    """The sentence at the top, what was compared, what to do next; `doubted` counts test pictures with a doubtful region."""
    test, clean, probe = run.metrics["test"], run.metrics.get("test_without_leaked"), run.metrics.get("probe_test")
    score, nothing = Score.of(test[HEADLINE]), test["nothing_learned"]
    return MasksVerdictPart(
        score=score,
        n_test=pictures_tested(run),
        dice=_value(test["dice"]),
        accuracy=_value(test["pixel_accuracy"]),
        common=(nothing["class"], nothing["iou"]),
        probe=None if probe is None else _value(probe["iou"]),
        too_small=score.low is not None and score.high is not None and score.high - score.low > WIDEST,
        leaked=run.metrics["leaked"],
        clean=None if clean is None else _score(clean[HEADLINE]),
        n_clean=0 if clean is None else clean["n"],
        compared=[(one["strategy"], one["iou"], one["dice"]) for one in run.metrics["validation"]],
        advice=_advise(run, rows, score, doubted),
    )


def _advise(run: OpenRun, rows: Sequence[AreaRow], score: Score, doubted: int) -> list[Said]:
    audit, n = run.audit, pictures_tested(run)
    found: list[Said] = [("masks_next_weak", {"share": score.value})] if score.value < TRUSTED else []
    if audit["leaks"]:
        found.append(("next_leaks", {"n": len(audit["leaks"])}))
    if audit["two_labels"]:
        found.append(("masks_next_differ", {"n": len(audit["two_labels"])}))
    if doubted and score.value >= TRUSTED and doubted <= max(1, _FEW_DOUBTED * n):
        found.append(("masks_next_doubts", {"n": doubted}))
    found += about_size(score, n, [(row.name, row.test) for row in rows])
    for worst in worst_rows([row for row in rows if row.test >= FEWEST], 1):
        if worst.iou is not None and worst.iou.value < score.value - _LOWER_BY:
            found.append(("masks_next_class", {"label": worst.name, "share": worst.iou.value, "n": worst.train}))
    if audit["unreadable"]:
        found.append(("next_unreadable", {"n": len(audit["unreadable"])}))
    return found[:MOST]


def _score(found: Mapping[str, Any] | float | None) -> Score | None:
    """A figure with its interval, where it has one; None where it is not defined."""
    if found is None:
        return None
    return Score.of(found) if isinstance(found, Mapping) else Score(value=found)


def _value(found: Mapping[str, Any] | float | None) -> float | None:
    score = _score(found)
    return None if score is None else score.value
