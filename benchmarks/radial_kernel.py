"""A radial kernel on the frozen features. In: folders or CSVs of pictures. Out: linear, Nyström and chosen figures, as JSON lines.

75/25 splits, stratified, seeds 0 to --seeds - 1. The linear probe is `fit_probe` with all that it chooses. The kernel is
exp(-gamma |x - y|^2) on the numbers that the linear probe looks at, standardised and weighed as it weighs them, gamma =
1 / (D x variance) as in scikit-learn's SVC, approximated by Nyström's method (Williams and Seeger 2001) on --landmarks training
pictures; a second probe is fitted on these features. `chosen` is, split by split, what has the lower held-out log loss inside
the training part. Embeddings come from the cache:

    python benchmarks/radial_kernel.py solar sign_digits/ hotdog/     solar: the package elpv-dataset
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from elpv import embeddings
from sklearn.kernel_approximation import Nystroem
from sklearn.model_selection import train_test_split

from tellapart.evaluation.calibrating import log_losses
from tellapart.training.probe import Probe, fit_probe
from tellapart.training.weighing import POWERS, Weighing


def scaled(vectors: np.ndarray, train: np.ndarray, stages: tuple[int, ...], weighing: Weighing) -> np.ndarray:
    """The numbers [N, D] that a weighing looks at, by the mean and deviation of `train`, each layer's block weighed by its size."""
    last = vectors.shape[1] - sum(stages)
    sizes = [last] if weighing == "last" else [*stages, last]
    numbers = vectors[:, -last:] if weighing == "last" else vectors
    deviation = numbers[train].std(axis=0)
    found = (numbers - numbers[train].mean(axis=0)) / np.maximum(deviation, np.median(deviation))
    return found / np.repeat(np.array(sizes, dtype=np.float64), sizes) ** POWERS[weighing]


def judged(probe: Probe, vectors: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Share right and log loss in nats on test pictures, and the held-out log loss that it would be chosen by."""
    logits = vectors @ probe.weight.T + probe.bias
    accuracy, loss = float((logits.argmax(axis=1) == labels).mean()), float(log_losses(logits, labels).mean())
    return {"accuracy": accuracy, "log_loss": loss, "held_out": min(probe.trials.values())}


def split_once(
    vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, stages: tuple[int, ...], landmarks: int, seed: int
) -> dict[str, dict[str, float]]:
    """What each way gives on one split."""
    train, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=seed)
    count = int(labels.max()) + 1
    linear = fit_probe(vectors[train], labels[train], groups=groups[train], class_count=count, stages=stages, seed=seed)
    numbers = scaled(vectors, train, stages, linear.weighed.weighing)
    gamma = 1 / (numbers.shape[1] * numbers[train].var())
    kernel = Nystroem(gamma=gamma, n_components=min(landmarks, len(train)), random_state=seed).fit(numbers[train])
    features = kernel.transform(numbers).astype(np.float32)
    radial = fit_probe(features[train], labels[train], groups=groups[train], class_count=count, seed=seed)
    found = {
        "linear": judged(linear, vectors[test], labels[test]),
        "radial": judged(radial, features[test], labels[test]),
    }
    found["chosen"] = min(found.values(), key=lambda one: one["held_out"])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", nargs="+", help="folders of class folders, CSVs, or solar")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--landmarks", type=int, default=1000)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    arguments = parser.parse_args()
    for source in arguments.pictures:
        vectors, labels, groups, stages = embeddings(arguments.backbone, None if source == "solar" else Path(source))
        splits = [
            split_once(vectors, labels, groups, stages, arguments.landmarks, seed) for seed in range(arguments.seeds)
        ]
        means = {
            way: {
                figure: round(float(np.mean([split[way][figure] for split in splits])), 4) for figure in splits[0][way]
            }
            for way in splits[0]
        }
        radial = sum(split["chosen"] is split["radial"] for split in splits)
        print(
            json.dumps({"pictures": Path(source).name, "n": len(labels), "radial_chosen": radial} | means), flush=True
        )


if __name__ == "__main__":
    main()
