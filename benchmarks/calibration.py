"""What calibration is worth, and from which pictures. In: folders or CSVs of pictures. Out: log loss and error, as JSON lines.

Five 75/25 splits, stratified; an eighth of the 75 is the validation split, as in a training. The probe is fitted on the rest, its
strength chosen there. Calibrated are its logits of the validation split, out-of-fold logits of the training split (of classifiers
that were fitted on four fifths of it), or both; by nothing, a temperature, a temperature and biases, or by what ten-fold
cross-validation takes among these. `error` is the expected calibration error of the test split, `chance` what perfect
probabilities would have. The probe may take the means of all stages, as in a training; `weighings` counts what it took.

    python benchmarks/calibration.py solar sign_digits/ hotdog/ --seeds 5     solar: the package elpv-dataset
    python benchmarks/calibration.py solar --last-only                        the last layer's numbers alone
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from elpv import embeddings
from sklearn.model_selection import train_test_split

from tellapart.evaluation.calibrating import choose_calibration, log_losses
from tellapart.evaluation.calibration import calibration_error, fit_class_biases, fit_temperature, softmax
from tellapart.evaluation.chance import error_by_chance
from tellapart.training.probe import fit_probe


def measure(
    vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, stages: tuple[int, ...], seed: int
) -> tuple[dict, dict, str]:
    """Log loss, calibration error and chance's by how it was calibrated, what cross-validation took, and which weighing."""
    rest, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=seed)
    train, validation = train_test_split(rest, test_size=1 / 8, stratify=labels[rest], random_state=seed)
    classes = int(labels.max()) + 1
    probe = fit_probe(
        vectors[train], labels[train], groups=groups[train], class_count=classes, stages=stages, seed=seed
    )
    own = vectors @ probe.weight.T + probe.bias
    known = ~np.isnan(probe.held_out).any(axis=1)
    sources = {"validation": (own[validation], validation), "out of fold": (probe.held_out[known], train[known])}
    sources["both"] = tuple(np.concatenate(pair) for pair in zip(*sources.values(), strict=True))
    nothing = np.zeros(classes)
    ways, taken = {"nothing": (1.0, nothing)}, {}
    for source, (logits, rows) in sources.items():
        ways[f"temperature, {source}"] = (fit_temperature(logits, labels[rows]), nothing)
        ways[f"temperature and biases, {source}"] = fit_class_biases(logits, labels[rows])
        for biased in (False, True):
            chosen = choose_calibration(logits, labels[rows], groups[rows], with_biases=biased, seed=seed)
            name = f"chosen{' of three' if biased else ''}, {source}"
            ways[name], taken[name] = (chosen.temperature, chosen.biases), chosen.method
    found = {}
    for name, (temperature, biases) in ways.items():
        calibrated = (own[test] + biases) / temperature
        chances = softmax(calibrated)
        found[name] = {
            "log_loss": float(log_losses(calibrated, labels[test]).mean()),
            "error": calibration_error(chances, labels[test]),
            "chance": error_by_chance(chances.max(axis=1), seed=seed).mean,
            "temperature": temperature,
        }
    return found, taken, probe.weighed.weighing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--last-only", action="store_true", help="leave the stages out")
    arguments = parser.parse_args()
    for source in arguments.pictures:
        vectors, labels, groups, stages = embeddings(arguments.backbone, None if source == "solar" else Path(source))
        if arguments.last_only:
            vectors, stages = vectors[:, sum(stages) :], ()
        of_way, taken, weighings = defaultdict(list), defaultdict(Counter), Counter()
        for seed in range(arguments.seeds):
            found, methods, weighing = measure(vectors, labels, groups, stages, seed)
            weighings[weighing] += 1
            for way, figures in found.items():
                of_way[way].append(figures)
            for way, method in methods.items():
                taken[way][method] += 1
        facts = {"pictures": Path(source).name, "n": len(labels), "weighings": dict(weighings)}
        for way, rows in of_way.items():
            means = {key: round(float(np.mean([row[key] for row in rows])), 4) for key in rows[0]}
            line = facts | {"calibrated": way} | means
            print(json.dumps(line | {"taken": dict(taken[way])} if way in taken else line), flush=True)


if __name__ == "__main__":
    main()
