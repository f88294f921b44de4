"""What the report of sets says of the test split. In: OpenRun. Out: LabelsResultsPart, LabelsVerdictPart ... Next: pictures.py.

Shapes: n test pictures, K classes. What is not known of a picture is NaN, and counts neither way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import MultilabelRecord, Score
from tellapart.data.examples import SPLITS
from tellapart.data.targets import ClassNames, class_sets
from tellapart.evaluation.curves import binned
from tellapart.reporting.advice import FEWEST, MOST, TRUSTED, about_labels, about_size
from tellapart.reporting.facts import Chart, Said
from tellapart.reporting.figures import SERIES, draw_reliability
from tellapart.reporting.matrix import FEW_CLASSES, cross_table
from tellapart.reporting.phrases import Phrases
from tellapart.runs.class_curves import class_charts
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import pictures_tested
from tellapart.runs.reliability import reliability_lead
from tellapart.tasks.multilabel.facts import DecisionPart, LabelRow, LabelsResultsPart, LabelsVerdictPart

HEADLINE = "mean_average_precision"
_SCORES = (
    HEADLINE,
    "micro_f1",
    "macro_f1",
    "subset_accuracy",
    "hamming_loss",
    "label_ranking_average_precision",
    "log_loss",
)
_MOST_ROWS = 60  # of the table of classes
_LOWER_BY = 0.1  # a class's average precision below the mean, from which on more pictures with it come first
_SMALLEST = 1e-12


def truths(run: OpenRun) -> NDArray[np.float32]:
    """What the test pictures show, float32 [n, K] in {0, 1, NaN}. Raises: DataError for what is no set of the classes."""
    table, sets = run.predictions, []
    for row, text in enumerate(table.targets):
        try:
            sets.append(ClassNames.read(text))
            class_sets(sets[-1:], run.classes)
        except (KeyError, ValueError):
            raise table.refusal(row) from None
    return class_sets(sets, run.classes)


def label_rows(run: OpenRun) -> list[LabelRow]:
    """Every class, in the model's order."""
    per_class = run.metrics["test"]["per_class"]
    counts = {split: dict.fromkeys(run.classes, 0) for split in SPLITS}
    for example in run.examples:
        for name in example.target.classes if example.split is not None else ():
            if example.split is not None and name in counts[example.split]:
                counts[example.split][name] += 1
    rows = []
    for name in run.classes:
        row = per_class[name]
        recall = row["recall"]
        rows.append(
            LabelRow(
                name=name,
                train=counts["train"][name],
                validation=counts["validation"][name],
                test=row["support"],
                threshold=row["threshold"],
                precision=row["precision"],
                recall=None if recall is None else Score.of({"value": recall, **row["recall_interval"]}),
                f1=row["f1"],
                average_precision=row["average_precision"],
                auroc=row["auroc"],
            )
        )
    return rows


def worst_rows(rows: Sequence[LabelRow], count: int) -> list[LabelRow]:
    """The classes with the lowest average precision, the lowest first."""
    return sorted(rows, key=lambda row: (1.0 if row.average_precision is None else row.average_precision, row.name))[
        :count
    ]


def results_part(run: OpenRun, rows: Sequence[LabelRow], phrases: Phrases) -> LabelsResultsPart:
    """Scores, which classes come together, classes and charts of the test split."""
    test = run.metrics["test"]
    together, said = (np.array(test["co_occurrence"][key], dtype=np.int64) for key in ("true", "predicted"))
    return LabelsResultsPart(
        scores=[(name, Score.of(test[name])) for name in _SCORES if isinstance(test.get(name), dict)],
        together=cross_table(run.classes, together, np.diag(together), off_is_wrong=False),
        said_together=cross_table(run.classes, said, np.diag(said), off_is_wrong=False),
        classes=rows if len(rows) <= _MOST_ROWS else worst_rows(rows, _MOST_ROWS),
        unknown_cells=test["unknown_cells"],
        charts=_charts(run, rows, phrases),
    )


def _charts(run: OpenRun, rows: Sequence[LabelRow], phrases: Phrases) -> list[Chart]:
    probabilities, targets = run.predictions.probabilities, truths(run)
    number = {name: index for index, name in enumerate(run.classes)}
    usable = [row for row in rows if row.average_precision is not None]
    chosen = usable if len(usable) <= SERIES else worst_rows(usable, SERIES)
    some = ("labels_curves_some", {"n": len(chosen), "classes": len(rows)}) if len(rows) > len(chosen) else None
    scores = []
    for row in chosen:
        known = ~np.isnan(targets[:, number[row.name]])
        column = number[row.name]
        scores.append((row.name, probabilities[known, column], targets[known, column] == 1))
    return [_reliability(run, probabilities, targets, phrases), *class_charts(scores, phrases, some=some)]


def _reliability(
    run: OpenRun, probabilities: NDArray[np.float32], targets: NDArray[np.float32], phrases: Phrases
) -> Chart:
    record, known = run.manifest.record_of(MultilabelRecord), ~np.isnan(targets)
    present = targets[known] == 1
    after = [(one.confidence, one.accuracy, one.low, one.high) for one in binned(probabilities[known], present)]
    method = (run.metrics.get("calibration") or {}).get("method")  # of an older run it is not known
    lead = reliability_lead("several", method, run.metrics["test"]["calibration_error"])
    axes = {"x": phrases("labels_probability"), "y": phrases("labels_share")}
    if method == "none":
        return Chart(title="reliability", svg=draw_reliability([], after, **axes), lead=lead)
    # What the scales and offsets did is undone.
    exact = np.clip(probabilities.astype(np.float64), _SMALLEST, 1 - _SMALLEST)
    logits = (np.log(exact / (1 - exact)) - np.array(record.offsets)) / np.array(record.scales)
    raw = 1 / (1 + np.exp(-logits))
    before = [(one.confidence, one.accuracy) for one in binned(raw[known], present)]
    return Chart(
        title="reliability",
        svg=draw_reliability(before, after, **axes),
        legend=[(phrases("after"), 1, False), (phrases("before"), 2, True)],
        lead=lead,
    )


def verdict(run: OpenRun, rows: Sequence[LabelRow], *, wrong_labels: int, judged: int) -> LabelsVerdictPart:
    """The sentence at the top, what was compared, what to do next."""
    test, clean = run.metrics["test"], run.metrics.get("test_without_leaked")
    none, common = test["baselines"]["none"], test["baselines"]["most_common_set"]
    return LabelsVerdictPart(
        score=Score.of(test[HEADLINE]),
        n_test=pictures_tested(run),
        none=(none[HEADLINE], none["subset_accuracy"]),
        common=(common["set"], common[HEADLINE], common["subset_accuracy"]) if common["set"] else None,
        too_small=test["too_small_to_tell"],
        leaked=run.metrics["leaked"],
        clean=None if clean is None else Score.of(clean[HEADLINE]),
        n_clean=0 if clean is None else clean["n"],
        compared=[(one["strategy"], one["log_loss"], one[HEADLINE]) for one in run.metrics["validation"]],
        advice=_advise(run, rows, wrong_labels, judged),
    )


def _advise(run: OpenRun, rows: Sequence[LabelRow], wrong_labels: int, judged: int) -> list[Said]:
    score, audit = Score.of(run.metrics["test"][HEADLINE]), run.audit
    found: list[Said] = [("labels_next_weak", {"share": score.value})] if score.value < TRUSTED else []
    if audit["leaks"]:
        found.append(("next_leaks", {"n": len(audit["leaks"])}))
    if audit["two_labels"]:
        found.append(("next_two_labels", {"n": len(audit["two_labels"])}))
    found += about_labels(score, wrong_labels, judged)
    found += about_size(score, pictures_tested(run), [(row.name, row.test) for row in rows])
    known = [row for row in rows if row.average_precision is not None and row.test >= FEWEST]
    for worst in worst_rows(known, 1):
        if worst.average_precision is not None and worst.average_precision < score.value - _LOWER_BY:
            values = {"label": worst.name, "share": worst.average_precision, "n": worst.train}
            found.append(("labels_next_class", values))
    if audit["unreadable"]:
        found.append(("next_unreadable", {"n": len(audit["unreadable"])}))
    return found[:MOST]


def decision_part(run: OpenRun) -> DecisionPart:
    """How the thresholds were chosen, and how many test pictures are called unknown."""
    record = run.manifest.record_of(MultilabelRecord)
    rule, _, wanted = record.threshold_rule.partition(" ")
    return DecisionPart(
        precision=float(wanted) if rule == "precision" else None,
        unknown=None if record.known is None else 1 - record.known.value,
        calibrated_on=record.calibrated_on,
    )


def shows_image(part: LabelsResultsPart) -> bool:
    """Whether there are so many classes that they are shown as an image."""
    return len(part.together.classes) > FEW_CLASSES
