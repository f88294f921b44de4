"""What a classifier's report says of the test split. In: OpenRun. Out: ResultsPart, VerdictPart. Next: pictures.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import ClassificationRecord, Score
from tellapart.evaluation import curves
from tellapart.evaluation.abstention import most_useful
from tellapart.evaluation.calibration import apply_temperature
from tellapart.reporting.advice import advise
from tellapart.reporting.album import Captioned
from tellapart.reporting.facts import Chart, ClassRow, Pair, Said, Shown
from tellapart.reporting.figures import SERIES, Line, draw_confidences, draw_lines, draw_reliability
from tellapart.reporting.matrix import cross_table
from tellapart.reporting.phrases import Phrases
from tellapart.runs.class_curves import class_charts
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import pictures_tested
from tellapart.runs.reliability import reliability_lead
from tellapart.tasks.classification.facts import AbstentionPart, ResultsPart, VerdictPart

_SCORES = ("accuracy", "balanced_accuracy", "top_5", "macro_f1", "auroc", "log_loss", "brier")
_MOST_ROWS = 60  # of the table of classes
_PAIRS, _PICTURES = 6, 4  # confused pairs, and pictures of each
_SURE = 0.8  # coverage that a sentence tells of

Show = Callable[[Sequence[Captioned]], list[Shown]]


def true_labels(run: OpenRun) -> NDArray[np.int64]:
    """The classes of the test pictures, int64 [n]. Raises: DataError for a name that is no class."""
    number, table = {name: index for index, name in enumerate(run.classes)}, run.predictions
    for row, name in enumerate(table.targets):
        if name not in number:
            raise table.refusal(row)
    return np.array([number[name] for name in table.targets], dtype=np.int64)


def figure(record: dict[str, Any]) -> Score:
    """A figure of metrics.json."""
    return Score.of(record)


def class_rows(run: OpenRun) -> list[ClassRow]:
    """Every class, in the model's order."""
    per_class = run.metrics["test"]["per_class"]
    counts = {split: dict.fromkeys(run.classes, 0) for split in ("train", "validation", "test")}
    for example in run.examples:
        if example.split is not None and example.target.text in counts[example.split]:
            counts[example.split][example.target.text] += 1
    rows = []
    for name in run.classes:
        row = per_class[name]
        interval = row.get("recall_interval") or {}
        recall = None
        if row["recall"] is not None:
            recall = Score(value=row["recall"], low=interval.get("low"), high=interval.get("high"))
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


def results_part(run: OpenRun, rows: Sequence[ClassRow], show: Show, phrases: Phrases) -> ResultsPart:
    """Scores, confusion, classes, pairs and charts of the test split."""
    test = run.metrics["test"]
    matrix = test["confusion_matrix"]
    chosen = rows if len(rows) <= _MOST_ROWS else worst_rows(rows, _MOST_ROWS)
    return ResultsPart(
        scores=[(name, figure(test[name])) for name in _SCORES if isinstance(test.get(name), dict)],
        confusion=None if matrix is None else cross_table(run.classes, np.array(matrix, dtype=np.int64)),
        classes=chosen,
        pairs=_pairs(run, show),
        mistakes=int((run.predictions.best != true_labels(run)).sum()),
        charts=_charts(run, rows, phrases),
    )


def worst_rows(rows: Sequence[ClassRow], count: int) -> list[ClassRow]:
    """The classes with the lowest recall, the lowest first."""
    return sorted(rows, key=lambda row: (1.0 if row.recall is None else row.recall.value, row.name))[:count]


def _pairs(run: OpenRun, show: Show) -> list[Pair]:
    predicted, sure, labels = run.predictions.best, run.predictions.sure, true_labels(run)
    wrong = predicted != labels
    pairs, counts = np.unique(np.stack([labels[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_PAIRS]
    found = []
    for (label, answer), count in zip(pairs[order].tolist(), counts[order].tolist(), strict=True):
        rows = np.flatnonzero((labels == label) & (predicted == answer))
        rows = rows[np.argsort(-sure[rows], kind="stable")][:_PICTURES]
        names, paths = (run.classes[label], run.classes[answer]), run.predictions.paths
        pictures = show([(paths[row], *names, float(sure[row])) for row in rows.tolist()])
        found.append(Pair(label=names[0], predicted=names[1], count=count, pictures=pictures))
    return found


def _charts(run: OpenRun, rows: Sequence[ClassRow], phrases: Phrases) -> list[Chart]:
    t, true = phrases, true_labels(run)
    probabilities, labels = run.predictions.judged(true)
    x, y = curves.coverage_accuracy(probabilities, labels)
    at = min(int(np.searchsorted(x, _SURE)), len(x) - 1)
    return [
        _reliability(run, probabilities, labels, phrases),
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
        # Of many classes the table has not what each was given.
        *(_class_charts(run.classes, probabilities, true, rows, phrases) if run.predictions.ranked is None else ()),
    ]


def _reliability(
    run: OpenRun, probabilities: NDArray[np.float32], labels: NDArray[np.int64], phrases: Phrases
) -> Chart:
    found = run.metrics.get("calibration") or {}  # of an older run nothing is known but its temperature
    after = [(one.confidence, one.accuracy, one.low, one.high) for one in curves.reliability(probabilities, labels)]
    lead = reliability_lead("one", found.get("method"), run.metrics["test"]["calibration_error"])
    axes = {"x": phrases("confidence"), "y": phrases("accuracy")}
    if found.get("method") == "none":
        return Chart(title="reliability", svg=draw_reliability([], after, **axes), lead=lead)
    legend = [(phrases("after"), 1, False)]
    if run.predictions.ranked is not None:  # of the most probable classes alone nothing can be undone
        return Chart(title="reliability", svg=draw_reliability([], after, **axes), legend=legend, lead=lead)
    # What the temperature and the biases did is undone: the logits before it, up to a constant, which softmax ignores.
    temperature = run.manifest.record_of(ClassificationRecord).temperature
    raw = np.log(np.maximum(probabilities.astype(np.float64), 1e-12)) * temperature - np.array(found.get("biases") or 0)
    before = [(one.confidence, one.accuracy) for one in curves.reliability(apply_temperature(raw, 1.0), labels)]
    return Chart(
        title="reliability",
        svg=draw_reliability(before, after, **axes),
        legend=[*legend, (phrases("before"), 2, True)],
        lead=lead,
    )


def _class_charts(
    classes: Sequence[str],
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    rows: Sequence[ClassRow],
    phrases: Phrases,
) -> list[Chart]:
    """Precision over recall, and ROC: one curve a class, of two classes the first alone."""
    number = {name: index for index, name in enumerate(classes)}
    usable = [row for row in rows if 0 < row.test < len(labels)]
    chosen = usable[:1] if len(rows) == 2 else usable if len(usable) <= SERIES else worst_rows(usable, SERIES)
    scores = [(row.name, probabilities[:, number[row.name]], labels == number[row.name]) for row in chosen]
    some = ("curves_some", {"n": len(chosen), "classes": len(rows)}) if len(rows) > max(2, len(chosen)) else None
    return class_charts(scores, phrases, some=some)


def verdict(
    run: OpenRun,
    rows: Sequence[ClassRow],
    results: ResultsPart,
    *,
    by_files: float | None,
    more: Sequence[Said] = (),
    wrong_labels: int,
    examined: int,
) -> VerdictPart:
    """The sentence at the top, what was compared, what to do next."""
    test, clean = run.metrics["test"], run.metrics.get("test_without_leaked")
    common = max(rows, key=lambda row: row.test)
    epochs = (run.metrics["training"].get(run.manifest.strategy) or {}).get("history") or []
    best = next(
        (one for one in epochs if one["number"] == run.metrics["training"][run.manifest.strategy]["best_epoch"]), None
    )
    return VerdictPart(
        accuracy=figure(test["accuracy"]),
        n_test=pictures_tested(run),
        baseline=test["majority_baseline"],
        baseline_label=common.name,
        too_small=test["too_small_to_tell"],
        leaked=run.metrics["leaked"],
        clean=None if clean is None else figure(clean["accuracy"]),
        n_clean=0 if clean is None else clean["n"],
        compared=[(one["strategy"], one["log_loss"], one["accuracy"]) for one in run.metrics["validation"]],
        advice=advise(
            accuracy=figure(test["accuracy"]),
            n_test=pictures_tested(run),
            n_pictures=examined,
            classes=rows,
            pairs=results.pairs,
            mistakes=results.mistakes,
            by_files=by_files,
            more=more,
            wrong_labels=wrong_labels,
            leaks=len(run.audit["leaks"]),
            two_labels=len(run.audit["two_labels"]),
            unreadable=len(run.audit["unreadable"]),
            fitted=None if best is None else (best["train_accuracy"], best["validation_accuracy"]),
        ),
    )


def abstention_part(run: OpenRun) -> AbstentionPart | None:
    """How the sets of classes and the calling unknown did; None for a run of before there was any."""
    found = run.metrics.get("abstention")
    if not found:
        return None
    return AbstentionPart(
        wanted=found["wanted"],
        measured=figure(found["coverage"]),
        useful=most_useful(len(run.classes)),
        size=found["mean_set_size"],
        unknown=None if found["known"] is None else 1 - found["known"]["value"],
        calibrated_on=found["calibrated_on"],
    )
