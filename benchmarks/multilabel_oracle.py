"""The numbers of a multi-label run once more, by scikit-learn. In: a finished run of the probe. Out: differences, as JSON.

From tellapart come the embeddings, the splits, the strength and the weighing of the stages that cross-validation chose, the
logits that it held out of the training split, and whether it calibrates. Everything after that is done again by others:
LogisticRegression a class, scipy's Nelder-Mead for scale and offset, every threshold tried with f1_score or precision_score, and
sklearn.metrics for the figures. Ends with 1 where a figure of metrics.json differs by more than a millionth, or a probability of
the test split by more than three: the model adds up 1,280 products or more in single precision, which alone moves a logit by up
to 0.00001.

    tellapart train collages/collages.csv --strategy probe
    python benchmarks/multilabel_oracle.py runs/latest
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from tellapart.cli.console import make_reporter
from tellapart.data.targets import class_sets
from tellapart.features.caching import open_cache
from tellapart.runs.embeddings import embed_by_own
from tellapart.runs.open import OpenRun
from tellapart.tasks.multilabel.weighing import balanced_positive_weights
from tellapart.training.multilabel_probe import fit_multilabel_probe

TOLERANCE = 1e-6
ROUNDING = 3e-6  # of a probability
Array = np.ndarray


# By which power of its size each layer's numbers are divided, by the weighing's name.
POWERS = {"alike": 0, "fourth_root": 1 / 4, "square_root": 1 / 2}


def read(run: OpenRun) -> tuple[Array, Array, Array, list[str]]:
    """Embeddings [N, D] of all layers, targets [N, K] in {0, 1, NaN}, splits [N] and paths [N] of the run's pictures."""
    examples = [one for one in run.examples if not one.problem and one.split]
    with open_cache() as cache:
        vectors, kept = embed_by_own(run, examples, cache, make_reporter(quiet=True))
    if len(kept) < len(examples):
        raise SystemExit(f"of the run's {len(examples):,} pictures only {len(kept):,} can still be read.")
    targets = class_sets([example.target for example in examples], run.manifest.classes)
    splits = np.array([example.split for example in examples])
    return vectors.astype(np.float64), targets, splits, [str(one.path) for one in examples]


def standardise(vectors: Array, train: Array, stages: tuple[int, ...], weighing: str) -> Array:
    """As the probe's documentation says: of a layer no feature is stretched more than its median one that varies.

    Vectors begin with the means of each stage. Where they count, each layer's features are divided by a power of their number,
    and all multiplied so that what they were multiplied with has a mean square of 1.
    """
    if weighing == "last":
        vectors, stages = vectors[:, sum(stages) :], ()
    layers, factors = np.split(vectors, np.cumsum(stages), axis=1) if stages else [vectors], []
    scaled = []
    for layer in layers:
        mean, deviation = layer[train].mean(axis=0), layer[train].std(axis=0)
        varies = deviation > 1e-6 * np.hypot(mean, deviation)
        scaled.append((layer - mean) * np.where(varies, 1 / np.maximum(deviation, np.median(deviation[varies])), 0))
        factors.append(np.full(layer.shape[1], layer.shape[1] ** -POWERS.get(weighing, 0)))
    factor = np.concatenate(factors)
    return np.hstack(scaled) * factor / np.sqrt(np.mean(factor**2))


def fit_logits(inputs: Array, targets: Array, strength: float, balanced: bool) -> Array:
    """Logits of all pictures [N] from those whose target is known and in train; `targets` [N] is NaN elsewhere."""
    known = ~np.isnan(targets)
    truth = targets[known]
    times = (truth == 0).sum() / (truth == 1).sum() if balanced else 1.0
    total = np.where(truth == 1, times, 1.0).sum()
    model = LogisticRegression(
        C=1 / (total * strength), class_weight={1: times}, solver="newton-cg", tol=1e-12, max_iter=10_000
    )
    return model.fit(inputs[known], truth).decision_function(inputs)


def fit_scale(logits: Array, truth: Array) -> tuple[float, float]:
    """The most probable scale and offset: log scale normal with deviation 1/2, offset with 1; none of few pictures."""
    if min((truth == 1).sum(), (truth == 0).sum()) < 5:
        return 1.0, 0.0

    def posterior(parameters: Array) -> float:
        margins = (2 * truth - 1) * (np.exp(parameters[0]) * logits + parameters[1])
        return float(np.logaddexp(0, -margins).sum() + 2 * parameters[0] ** 2 + 0.5 * parameters[1] ** 2)

    options = {"xatol": 1e-11, "fatol": 1e-13, "maxiter": 10_000, "maxfev": 10_000}
    found = minimize(posterior, np.zeros(2), method="Nelder-Mead", options=options).x
    return float(np.exp(found[0])), float(found[1])


def hold_out(run: OpenRun, vectors: Array, targets: Array, train: Array) -> Array:
    """Logits [N, K] of the training pictures by classifiers that were fitted without them; NaN where there are none."""
    examples = [one for one in run.examples if not one.problem and one.split]
    keys = [(one.content_hash, one.target.text) for one in examples]
    rows = np.array(sorted(np.flatnonzero(train).tolist(), key=keys.__getitem__))  # in the order that training had
    fitted = fit_multilabel_probe(
        vectors[rows],
        targets[rows],
        [examples[row].group for row in rows],
        run.settings.folds,
        run.settings.seed,
        np.array(balanced_positive_weights(targets[rows])) if run.settings.class_weights == "balanced" else None,
        classes=run.classes,
        stages=run.manifest.backbone.stages,
    )
    logits = np.full(targets.shape, np.nan)
    if fitted.held_out is not None:
        logits[rows] = fitted.held_out
    return logits


def find_threshold(chances: Array, truth: Array, rule: str) -> float:
    """Try every line midway between two pictures."""
    if len(np.unique(truth)) < 2:
        return 0.5
    levels = np.unique(chances)
    lines = (np.concatenate([[0], levels[:-1]]) + levels) / 2
    if rule == "f1":
        scores = np.array([metrics.f1_score(truth, chances >= line) for line in lines])
        equal = lines[scores >= scores.max() - 1e-12]
        return float(equal[np.abs(equal - scores.max() / 2).argmin()])
    precisions = np.array([metrics.precision_score(truth, chances >= line) for line in lines])
    enough = precisions >= float(rule.split()[1]) - 1e-12
    return float(lines[enough.argmax() if enough.any() else precisions.argmax()])


def predict(run: OpenRun, vectors: Array, targets: Array, splits: Array) -> tuple[Array, Array]:
    """Calibrated probabilities [N, K] and thresholds [K]."""
    details, rule = run.metrics["training"]["probe"], run.metrics["threshold_rule"]
    train, validation = splits == "train", splits == "validation"
    weighing = details.get("stages", {}).get("weighing", "last")
    inputs = standardise(vectors, train, run.manifest.backbone.stages, weighing)
    held_out = None if run.metrics["calibration"]["method"] == "none" else hold_out(run, vectors, targets, train)
    chances, thresholds = np.empty(targets.shape), np.empty(targets.shape[1])
    for number in range(targets.shape[1]):
        own = np.where(train, targets[:, number], np.nan)
        logits = fit_logits(inputs, own, details["strength"], run.settings.class_weights == "balanced")
        known = validation & ~np.isnan(targets[:, number])
        scale, offset = 1.0, 0.0
        if held_out is not None:
            more = ~np.isnan(held_out[:, number]) & ~np.isnan(targets[:, number])
            scale, offset = fit_scale(
                np.concatenate([logits[known], held_out[more, number]]),
                np.concatenate([targets[known, number], targets[more, number]]),
            )
        chances[:, number] = 1 / (1 + np.exp(-(scale * logits + offset)))
        thresholds[number] = find_threshold(chances[known, number], targets[known, number], rule)
    return chances, thresholds


def measure(truth: Array, chances: Array, thresholds: Array, classes: tuple[str, ...]) -> dict[str, float]:
    """The figures of a test split of which every cell is known, by name."""
    if np.isnan(truth).any():
        raise SystemExit("a cell of the test split is not known; scikit-learn's metrics of sets want all of them.")
    said, sets = chances >= thresholds, truth.astype(int)
    ranked = [number for number in range(len(classes)) if 0 < sets[:, number].sum() < len(sets)]
    shown = [number for number in range(len(classes)) if sets[:, number].any()]
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(sets, said, zero_division=0)
    found = {
        "mean_average_precision": metrics.average_precision_score(sets[:, ranked], chances[:, ranked], average="macro"),
        "micro_f1": metrics.f1_score(sets, said, average="micro"),
        "macro_f1": float(f1[shown].mean()),
        "hamming_loss": metrics.hamming_loss(sets, said),
        "subset_accuracy": metrics.accuracy_score(sets, said),
        "label_ranking_average_precision": metrics.label_ranking_average_precision_score(sets, chances),
        "log_loss": float(
            np.mean([metrics.log_loss(*pair, labels=[0, 1]) for pair in zip(sets.T, chances.T, strict=True)])
        ),
    }
    for number, name in enumerate(classes):
        found[f"threshold of {name}"] = thresholds[number]
        found[f"precision of {name}"] = precision[number]
        if number in shown:
            found |= {f"recall of {name}": recall[number], f"f1 of {name}": f1[number]}
        if number in ranked:
            pair = sets[:, number], chances[:, number]
            found[f"average_precision of {name}"] = metrics.average_precision_score(*pair)
            found[f"auroc of {name}"] = metrics.roc_auc_score(*pair)
    return {name: float(value) for name, value in found.items()}


def told(test: dict[str, Any], name: str) -> float:
    """The same figure in metrics.json."""
    figure, _, label = name.partition(" of ")
    return float(test["per_class"][label][figure] if label else test[figure]["value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path)
    run = OpenRun(parser.parse_args().run)
    if run.manifest.strategy != "probe":
        raise SystemExit(
            f"the run kept the {run.manifest.strategy} network; this repeats the probe. Use --strategy probe."
        )
    vectors, targets, splits, paths = read(run)
    chances, thresholds = predict(run, vectors, targets, splits)
    test = splits == "test"
    figures = measure(targets[test], chances[test], thresholds, run.manifest.classes)
    differences = {name: abs(value - told(run.metrics["test"], name)) for name, value in figures.items()}
    with (run.folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
        written = {row[0]: np.array(row[3:], dtype=float) for row in list(csv.reader(file))[1:]}
    rows = {path: row for row, path in zip(np.flatnonzero(test).tolist(), np.array(paths)[test].tolist(), strict=True)}
    rounding = max(float(np.abs(chances[rows[path]] - row).max()) for path, row in written.items())
    worst = max(differences, key=differences.__getitem__)
    found = {"pictures": int(test.sum()), "figures": figures, "differences": differences, "probabilities": rounding}
    print(json.dumps(found, indent=1))
    print(f"largest difference: {differences[worst]:.2g}, {worst}; of a probability: {rounding:.2g}", file=sys.stderr)
    sys.exit(int(differences[worst] > TOLERANCE or rounding > ROUNDING))


if __name__ == "__main__":
    main()
