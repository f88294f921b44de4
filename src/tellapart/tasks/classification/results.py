"""What a report says of the test split. In: RunRecord. Out: ResultsPart, LearningPart, Verdict. Next: pictures.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import ClassificationRecord
from tellapart.evaluation import curves
from tellapart.evaluation.calibration import apply_temperature
from tellapart.reporting.advice import advise
from tellapart.reporting.facts import (
    Chart,
    ClassRow,
    Confusion,
    Figure,
    LearningPart,
    Pair,
    ResultsPart,
    Shown,
    Verdict,
)
from tellapart.reporting.figures import SERIES, Line, draw_confidences, draw_lines, draw_reliability
from tellapart.reporting.page import FEW_CLASSES
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.pictures import pixel_address
from tellapart.runs.record import RunRecord

_SCORES = ("accuracy", "balanced_accuracy", "top_5", "macro_f1", "auroc", "log_loss", "brier")
_MOST_ROWS = 60  # of the table of classes
_PAIRS, _PICTURES = 6, 4  # confused pairs, and pictures of each
_SURE = 0.8  # coverage that a sentence tells of

Show = Callable[[Sequence[tuple[Path, str, str, float | None]]], list[Shown]]  # path, label, predicted, probability


def figure(record: dict[str, Any]) -> Figure:
    """A figure of metrics.json."""
    return Figure(value=record["value"], low=record.get("low"), high=record.get("high"))


def class_rows(run: RunRecord) -> list[ClassRow]:
    """Every class, in the model's order."""
    per_class = run.metrics["test"]["per_class"]
    counts = {split: dict.fromkeys(run.classes, 0) for split in ("train", "validation", "test")}
    for example in run.examples:
        if example.split is not None and example.label in counts[example.split]:
            counts[example.split][example.label] += 1
    rows = []
    for name in run.classes:
        row = per_class[name]
        interval = row.get("recall_interval") or {}
        recall = None
        if row["recall"] is not None:
            recall = Figure(value=row["recall"], low=interval.get("low"), high=interval.get("high"))
        rows.append(
            ClassRow(
                name=name,
                train=counts["train"][name],
                validation=counts["validation"][name],
                test=row["support"],
                recall=recall,
                precision=row["precision"],
                f1=row["f1"],
            )
        )
    return rows


def results_part(run: RunRecord, rows: Sequence[ClassRow], show: Show, phrases: Phrases) -> ResultsPart:
    """Scores, confusion, classes, pairs and charts of the test split."""
    test = run.metrics["test"]
    matrix = np.array(test["confusion_matrix"], dtype=np.int64)
    chosen = rows if len(rows) <= _MOST_ROWS else worst_rows(rows, _MOST_ROWS)
    return ResultsPart(
        scores=[(name, figure(test[name])) for name in _SCORES if isinstance(test.get(name), dict)],
        confusion=_confusion(run.classes, matrix),
        classes=chosen,
        pairs=_pairs(run, matrix, show),
        mistakes=int(matrix.sum() - np.trace(matrix)),
        charts=_charts(run, rows, phrases),
    )


def worst_rows(rows: Sequence[ClassRow], count: int) -> list[ClassRow]:
    """The classes with the lowest recall, the lowest first."""
    return sorted(rows, key=lambda row: (1.0 if row.recall is None else row.recall.value, row.name))[:count]


def _confusion(classes: Sequence[str], matrix: NDArray[np.int64]) -> Confusion:
    rates = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    image = None
    if len(classes) > FEW_CLASSES:
        pixels = np.zeros((*matrix.shape, 4), dtype=np.uint8)
        pixels[..., :3] = (194, 65, 12)
        pixels[np.arange(len(classes)), np.arange(len(classes)), :3] = (11, 98, 168)
        # A single mistake must be seen, too.
        pixels[..., 3] = np.where(matrix > 0, 50 + np.rint(205 * rates), 0)
        image = pixel_address(pixels)
    return Confusion(classes=list(classes), counts=matrix.tolist(), rates=rates.tolist(), image=image)


def _pairs(run: RunRecord, matrix: NDArray[np.int64], show: Show) -> list[Pair]:
    off = matrix.copy()
    np.fill_diagonal(off, 0)
    order = np.argsort(-off, axis=None, kind="stable")[:_PAIRS]
    predicted = run.probabilities.argmax(axis=1)
    found = []
    for position in order.tolist():
        label, answer = divmod(position, len(matrix))
        if not off[label, answer]:
            break
        rows = np.flatnonzero((run.labels == label) & (predicted == answer))
        rows = rows[np.argsort(-run.probabilities[rows, answer], kind="stable")][:_PICTURES]
        names = run.classes[label], run.classes[answer]
        pictures = show([(run.tested[row], *names, float(run.probabilities[row, answer])) for row in rows.tolist()])
        found.append(Pair(label=names[0], predicted=names[1], count=int(off[label, answer]), pictures=pictures))
    return found


def _charts(run: RunRecord, rows: Sequence[ClassRow], phrases: Phrases) -> list[Chart]:
    probabilities, labels, t = run.probabilities, run.labels, phrases
    x, y = curves.coverage_accuracy(probabilities, labels)
    at = min(int(np.searchsorted(x, _SURE)), len(x) - 1)
    return [
        _reliability(run, phrases),
        Chart(
            title="confidences",
            svg=draw_confidences(*curves.confidences(probabilities, labels), x=t("confidence"), y=t("pictures")),
            legend=[(t("right"), 1, False), (t("wrong"), 4, False)],
        ),
        Chart(
            title="coverage_accuracy",
            svg=draw_lines(
                [Line(x=x, y=y, colour=1)],
                x=t("coverage"),
                y=t("accuracy"),
                x_range=(0, 1),
                y_range=(max(0.0, float(y.min()) - 0.03), 1.005),
                shares="xy",
            ),
            lead=("coverage_lead", {"share": float(x[at]), "accuracy": float(y[at])}),
        ),
        *_class_charts(run, rows, phrases),
    ]


def _reliability(run: RunRecord, phrases: Phrases) -> Chart:
    # What the temperature did is undone: the logits before it, up to a constant, which softmax ignores.
    logits = (
        np.log(np.maximum(run.probabilities.astype(np.float64), 1e-12))
        * run.manifest.record_of(ClassificationRecord).temperature
    )
    raw, error = apply_temperature(logits, 1.0), run.metrics["test"]["calibration_error"]
    return Chart(
        title="reliability",
        svg=draw_reliability(
            [(one.confidence, one.accuracy) for one in curves.reliability(raw, run.labels)],
            [
                (one.confidence, one.accuracy, one.low, one.high)
                for one in curves.reliability(run.probabilities, run.labels)
            ],
            x=phrases("confidence"),
            y=phrases("accuracy"),
        ),
        legend=[(phrases("after"), 1, False), (phrases("before"), 2, True)],
        lead=("reliability_lead", {"before": f"{error['before']:.3f}", "after": f"{error['after']:.3f}"}),
    )


def _class_charts(run: RunRecord, rows: Sequence[ClassRow], phrases: Phrases) -> list[Chart]:
    """Precision over recall, and ROC: one curve a class, of two classes the first alone."""
    t, number = phrases, {name: index for index, name in enumerate(run.classes)}
    usable = [row for row in rows if 0 < row.test < len(run.labels)]
    chosen = usable[:1] if len(rows) == 2 else usable if len(usable) <= SERIES else worst_rows(usable, SERIES)
    if not chosen:
        return []
    lines: dict[str, list[Line]] = {"precision_recall": [], "receiver": []}
    for colour, row in enumerate(chosen, start=1):
        scores, positive = run.probabilities[:, number[row.name]], run.labels == number[row.name]
        for key, curve in (("precision_recall", curves.precision_recall), ("receiver", curves.receiver_operating)):
            x, y = curve(scores, positive)
            lines[key].append(Line(x=x, y=y, colour=colour, stepped=True))
    legend = [(row.name, colour, False) for colour, row in enumerate(chosen, start=1)]
    some = ("curves_some", {"n": len(chosen), "classes": len(rows)}) if len(rows) > max(2, len(chosen)) else None
    names = {"precision_recall": ("recall", "precision"), "receiver": ("false_positive_rate", "true_positive_rate")}
    return [
        Chart(
            title=key,
            svg=draw_lines(
                lines[key], x=t(x), y=t(y), x_range=(0, 1), y_range=(0, 1.02), shares="xy", diagonal=key == "receiver"
            ),
            legend=legend,
            lead=some,
        )
        for key, (x, y) in names.items()
    ]


def learning_part(run: RunRecord, phrases: Phrases) -> LearningPart:
    """Curves of the network's training, or of the classifier's cross-validation."""
    t, strategy = phrases, run.manifest.strategy
    details = run.metrics["training"].get(strategy, {})
    history = details.get("history") or []
    if not history:
        trials = sorted((trial["strength"], trial["log_loss"]) for trial in details.get("trials", []))
        line = Line(x=[one for one, _ in trials], y=[loss for _, loss in trials], colour=1, dotted=True)
        svg = draw_lines([line], x=t("strength"), y=t("log_loss"), logarithmic=True)
        chart: tuple[str, str, list[tuple[str, int, bool]]] = ("cross_validation", svg, [])
        return LearningPart(strategy=strategy, epochs=0, best_epoch=0, charts=[chart] if len(trials) > 1 else [])
    best = details["best_epoch"]
    x = [epoch["number"] for epoch in history]
    mark = (best, t("best_epoch"))

    def both(what: str, **options: Any) -> str:
        lines = [
            Line(
                x=x, y=[epoch[f"{split}_{what}"] for epoch in history], colour=colour, dashed=dashed, dotted=len(x) < 40
            )
            for split, colour, dashed in (("train", 2, True), ("validation", 1, False))
        ]
        return draw_lines(lines, x=t("epoch"), y=t(what), mark=mark, whole=True, **options)

    legend = [(t("validation"), 1, False), (t("train"), 2, True)]
    rate = Line(x=x, y=[epoch["learning_rate"] for epoch in history], colour=3, dotted=len(x) < 40)
    return LearningPart(
        strategy=strategy,
        epochs=len(history),
        best_epoch=best,
        charts=[
            ("loss", both("loss"), legend),
            ("accuracy", both("accuracy", shares="y"), legend),
            ("learning_rate", draw_lines([rate], x=t("epoch"), y=t("learning_rate"), mark=mark, whole=True), []),
        ],
    )


def verdict(
    run: RunRecord, rows: Sequence[ClassRow], results: ResultsPart, *, wrong_labels: int, examined: int
) -> Verdict:
    """The sentence at the top, what was compared, what to do next."""
    test, clean = run.metrics["test"], run.metrics.get("test_without_leaked")
    common = max(rows, key=lambda row: row.test)
    epochs = (run.metrics["training"].get(run.manifest.strategy) or {}).get("history") or []
    best = next(
        (one for one in epochs if one["number"] == run.metrics["training"][run.manifest.strategy]["best_epoch"]), None
    )
    return Verdict(
        accuracy=figure(test["accuracy"]),
        n_test=test["n"],
        baseline=test["majority_baseline"],
        baseline_label=common.name,
        too_small=test["too_small_to_tell"],
        leaked=run.metrics["leaked"],
        clean=None if clean is None else figure(clean["accuracy"]),
        n_clean=0 if clean is None else clean["n"],
        compared=[(one["strategy"], one["log_loss"], one["accuracy"]) for one in run.metrics["validation"]],
        advice=advise(
            accuracy=figure(test["accuracy"]),
            n_test=test["n"],
            n_pictures=examined,
            classes=rows,
            pairs=results.pairs,
            mistakes=results.mistakes,
            wrong_labels=wrong_labels,
            leaks=len(run.audit["leaks"]),
            two_labels=len(run.audit["two_labels"]),
            unreadable=len(run.audit["unreadable"]),
            fitted=None if best is None else (best["train_accuracy"], best["validation_accuracy"]),
        ),
    )
