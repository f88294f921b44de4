"""What the report of boxes says of the test split. In: OpenRun. Out: BoxesResultsPart, BoxesVerdictPart. Next: charts.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tellapart.bundle import DetectionRecord, Score
from tellapart.data.examples import SPLITS
from tellapart.data.targets import Boxes
from tellapart.reporting.advice import FEWEST, MOST, TRUSTED, WIDEST, about_labels, about_size
from tellapart.reporting.facts import Said
from tellapart.reporting.figures import SERIES
from tellapart.reporting.matrix import cross_table
from tellapart.reporting.phrases import Phrases
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import pictures_tested
from tellapart.tasks.detection.charts import counts_chart, curves, reliability_chart, sizes_chart
from tellapart.tasks.detection.error_kinds import KINDS
from tellapart.tasks.detection.facts import BoxesResultsPart, BoxesVerdictPart, BoxRow, ErrorRow
from tellapart.tasks.detection.scoring import HEADLINE
from tellapart.tasks.detection.tested import MatchedTest

_SCORES = (HEADLINE, "ap75", "ap", "precision", "recall", "f1", "count_error")
_BY_SIZE = ("ap_small", "ap_medium", "ap_large")
_MOST_ROWS = 60  # of the table of classes
_LOWER_BY = 0.1  # a class's AP50 below the mean, from which on more pictures with it come first
_COSTLY = 0.03  # of average precision, that a kind of error is worth advice from
_NEXT: Mapping[str, str] = {
    "class": "boxes_next_confused",
    "place": "boxes_next_place",
    "both": "boxes_next_place",
    "copy": "boxes_next_copy",
    "background": "boxes_next_background",
    "missed": "boxes_next_missed",
}


def box_rows(run: OpenRun) -> list[BoxRow]:
    """Every class, in the model's order."""
    counts = {split: dict.fromkeys(run.classes, 0) for split in SPLITS}
    for example in run.examples:
        boxes = example.target.boxes if isinstance(example.target, Boxes) and example.split is not None else ()
        for box in boxes:
            aside = box.difficult or box.crowd
            if example.split is not None and box.label in counts[example.split] and not aside:
                counts[example.split][box.label] += 1
    per_class = run.metrics["test"]["per_class"]
    return [
        BoxRow(
            name=name,
            train=counts["train"][name],
            validation=counts["validation"][name],
            test=row["boxes"],
            pictures=row["pictures"],
            threshold=row["threshold"],
            precision=_value(row["precision"]),
            recall=_value(row["recall"]),
            f1=_value(row["f1"]),
            ap50=_score(row["ap50"]),
            ap=_value(row["ap"]),
            count_miss=_value(row["count_miss"]),
        )
        for name, row in ((name, per_class[name]) for name in run.classes)
    ]


def worst_rows(rows: Sequence[BoxRow], count: int) -> list[BoxRow]:
    """The classes with the lowest AP50, the lowest first; those without a box in the test come last."""
    return sorted(rows, key=lambda row: (2.0 if row.ap50 is None else row.ap50.value, row.name))[:count]


def error_rows(run: OpenRun) -> list[ErrorRow]:
    """The kinds of error that there are, the costliest first."""
    found = run.metrics["test"]["error_kinds"]
    rows = [ErrorRow(kind=kind, number=found[kind]["number"], lost=_value(found[kind]["lost"])) for kind in KINDS]
    return sorted((row for row in rows if row.number), key=lambda row: -(row.lost or 0.0))


def results_part(run: OpenRun, rows: Sequence[BoxRow], tested: MatchedTest, phrases: Phrases) -> BoxesResultsPart:
    """Scores, classes, kinds of error, confusions and charts of the test split."""
    test = run.metrics["test"]
    named = {name: _score(test.get(name)) for name in (*_SCORES, *_BY_SIZE)}
    usable = [row for row in rows if row.test]
    chosen = {row.name for row in (usable if len(usable) <= SERIES else worst_rows(usable, SERIES))}
    numbers = [(number, name) for number, name in enumerate(run.classes) if name in chosen]
    some = ("boxes_curves_some", {"n": len(chosen), "classes": len(rows)}) if len(rows) > len(chosen) else None
    return BoxesResultsPart(
        scores=[(name, score) for name, score in named.items() if score is not None],
        classes=rows if len(rows) <= _MOST_ROWS else worst_rows(rows, _MOST_ROWS),
        errors=error_rows(run),
        confusion=cross_table([*run.classes, phrases("boxes_nothing")], np.array(test["confusion"], dtype=np.int64)),
        charts=[
            *curves(tested, numbers, phrases, some=some),
            reliability_chart(tested, run.manifest.record_of(DetectionRecord), phrases),
            sizes_chart(tested, phrases),
            counts_chart(tested, phrases),
        ],
    )


def verdict(run: OpenRun, rows: Sequence[BoxRow], *, wrong_boxes: int, judged: int) -> BoxesVerdictPart:
    """The sentence at the top, what was compared, what to do next."""
    test, clean = run.metrics["test"], run.metrics.get("test_without_leaked")
    score = Score.of(test[HEADLINE])
    return BoxesVerdictPart(
        score=score,
        n_test=pictures_tested(run),
        boxes=test["boxes"],
        precision=_value(test["precision"]),
        recall=_value(test["recall"]),
        count_error=_value(test["count_error"]),
        too_small=score.low is not None and score.high is not None and score.high - score.low > WIDEST,
        leaked=run.metrics["leaked"],
        clean=None if clean is None else _score(clean[HEADLINE]),
        n_clean=0 if clean is None else clean["n"],
        compared=[(one["strategy"], one["ap"], one["ap50"]) for one in run.metrics["validation"]],
        advice=_advise(run, rows, score, wrong_boxes, judged),
    )


def _advise(run: OpenRun, rows: Sequence[BoxRow], score: Score, wrong: int, judged: int) -> list[Said]:
    audit = run.audit
    found: list[Said] = [("boxes_next_weak", {"share": score.value})] if score.value < TRUSTED else []
    if audit["leaks"]:
        found.append(("next_leaks", {"n": len(audit["leaks"])}))
    if audit["two_labels"]:
        found.append(("boxes_next_differ", {"n": len(audit["two_labels"])}))
    found += [("boxes_next_doubts", values) for _, values in about_labels(score, wrong, judged)]
    found += about_size(score, pictures_tested(run), [(row.name, row.pictures) for row in rows])
    for row in error_rows(run)[:1]:
        if row.lost is not None and row.lost >= _COSTLY:
            found.append((_NEXT[row.kind], {"share": row.lost}))
    for worst in worst_rows([row for row in rows if row.test >= FEWEST], 1):
        if worst.ap50 is not None and worst.ap50.value < score.value - _LOWER_BY:
            values = {"label": worst.name, "share": worst.ap50.value, "n": worst.train}
            found.append(("boxes_next_class", values))
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
