"""How many wrong labels the label doctor finds. In: folders or CSVs of pictures. Out: precision and recall, as JSON lines.

A share of the labels (--share, 5 %) is replaced by another class drawn at random, once for each seed; the rest is what
`tellapart check --labels` does. Precision counts every picture whose label was not replaced as a false alarm, though some of
the data sets' own labels are wrong, and some classes overlap; `named_before` says how many were doubted before any label was
replaced. `top` is the precision among as many pictures as were flipped, the least probable labels first; `chance` is what
guessing would give.

    python benchmarks/flipped_labels.py cats_dogs/ sign_digits/ solar --seeds 3     solar: the package elpv-dataset
    python benchmarks/flipped_labels.py hotdog/ --stages                            with the means of all stages, unweighed
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
from elpv import embeddings

from tellapart.evaluation.labels import LabelReport, examine_labels
from tellapart.training.out_of_fold import out_of_fold


def judge(vectors: np.ndarray, labels: np.ndarray, groups: list[str]) -> tuple[LabelReport, np.ndarray]:
    """The report, and the probability of each label."""
    probabilities = out_of_fold(vectors, labels, groups, class_count=int(labels.max()) + 1, seed=0)
    return examine_labels(probabilities, labels, vectors, groups=groups), probabilities[np.arange(len(labels)), labels]


def measure(vectors: np.ndarray, labels: np.ndarray, groups: list[str], share: float, seed: int) -> dict[str, float]:
    """Flip labels and count how many of them, and how many others, are named."""
    generator = np.random.default_rng(seed)
    count, class_count = round(share * len(labels)), int(labels.max()) + 1
    rows = generator.choice(len(labels), count, replace=False)
    given = labels.copy()
    given[rows] = (labels[rows] + generator.integers(1, class_count, count)) % class_count
    flipped = given != labels
    began = time.monotonic()
    report, of_label = judge(vectors, given, groups)
    seconds = time.monotonic() - began
    named = [doubt.row for doubt in report.wrong]
    right = [doubt.suggested == labels[doubt.row] for doubt in report.wrong if flipped[doubt.row]]
    return {
        "seed": seed,
        "flipped": count,
        "named": len(named),
        "precision": round(float(flipped[named].mean()), 3) if named else 0.0,
        "recall": round(float(flipped[named].sum() / count), 3),
        "top": round(float(flipped[np.argsort(of_label)[:count]].mean()), 3),
        "suggestion_right": round(float(np.mean(right)), 3) if right else 0.0,
        "chance": share,
        "seconds": round(seconds, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--stages", action="store_true", help="the means of all stages beside the last layer")
    arguments = parser.parse_args()
    for name in arguments.pictures:
        vectors, labels, groups, stages = embeddings(arguments.backbone, None if name == "solar" else Path(name))
        # The last layer alone is what the label doctor takes.
        vectors, groups = vectors if arguments.stages else vectors[:, sum(stages) :], groups.tolist()
        facts = {
            "pictures": Path(name).name,
            "n": len(labels),
            "classes": int(labels.max()) + 1,
            "numbers": vectors.shape[1],
            "named_before": len(judge(vectors, labels, groups)[0].wrong),
        }
        found = [measure(vectors, labels, groups, arguments.share, seed) for seed in range(arguments.seeds)]
        for row in found:
            print(json.dumps(facts | row), flush=True)
        mean = {key: round(float(np.mean([row[key] for row in found])), 3) for key in ("precision", "recall", "top")}
        print(json.dumps(facts | {"mean_of_seeds": arguments.seeds} | mean), flush=True)


if __name__ == "__main__":
    main()
