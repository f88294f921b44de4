"""Which pictures to label next: labelling is replayed. In: sets of pictures. Out: JSON lines. Next: docs/results.md.

The labels of a set are hidden but for a few pictures drawn by chance; round after round a strategy names a batch, whose labels are
then known, and the probe is fitted again and tested on pictures that no strategy may name. Beside chance: how many labels fewer a
strategy needs for the accuracy that chance has after each number of rounds.

    python benchmarks/next_pictures.py DATA/sign_digits DATA/cats_dogs_1400 solar --repeats 5
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from next_point import embedded

from tellapart.evaluation.acquisition import STRATEGIES, Pool
from tellapart.training.probe import fit_probe

_TESTED = 0.3  # of each class
_STRENGTHS = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3)


def probe(vectors: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights [K, D] and biases [K] of what is known; the strength by cross-validation where each class has two."""
    enough = np.bincount(labels, minlength=classes).min() >= 2
    found = fit_probe(
        vectors,
        labels,
        groups=np.arange(len(labels)),
        class_count=classes,
        strengths=_STRENGTHS if enough else (3e-2,),
        seed=0,
    )
    return found.weight, found.bias


def replay(
    vectors: np.ndarray, labels: np.ndarray, name: str, *, first: int, batch: int, rounds: int, seed: int
) -> list[float]:
    """Test accuracy after each round, the first before any was chosen."""
    generator = np.random.default_rng(seed)  # the same split and beginning for every strategy
    classes = int(labels.max()) + 1
    order = generator.permutation(len(labels))
    tested = np.concatenate(
        [order[labels[order] == one][: round(_TESTED * (labels == one).sum())] for one in range(classes)]
    )
    hidden = np.setdiff1d(order, tested)
    order = generator.permutation(hidden)
    one_each = [order[labels[order] == one][0] for one in range(classes)]
    rest = [row for row in order if row not in set(one_each)]
    known = np.array([*one_each, *rest][: max(first, classes)])
    curve = []
    for round_ in range(rounds + 1):
        weight, bias = probe(vectors[known], labels[known], classes)
        curve.append(float(((vectors[tested] @ weight.T + bias).argmax(axis=1) == labels[tested]).mean()))
        left = np.setdiff1d(hidden, known)
        logits = vectors[left] @ weight.T + bias
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        pool = Pool(
            embeddings=vectors[left], known=vectors[known], probabilities=odds / odds.sum(axis=1, keepdims=True)
        )
        chosen = STRATEGIES[name](pool, batch, np.random.default_rng([seed, round_]))
        known = np.concatenate([known, left[chosen]])
    return curve


def saved(chance: np.ndarray, other: np.ndarray, sizes: np.ndarray) -> float:
    """The mean share of labels that the other saves, at every accuracy that chance reaches; below 0: it needs more."""
    reached = np.unique(np.maximum.accumulate(chance)[1:])
    return float(np.mean([1 - _needed(other, sizes, one) / _needed(chance, sizes, one) for one in reached]))


def _needed(curve: np.ndarray, sizes: np.ndarray, accuracy: float) -> float:
    """Labels after which a curve first has an accuracy, between rounds by a line; the last number where it never has."""
    at = np.flatnonzero(curve >= accuracy - 1e-9)
    if not len(at):
        return float(sizes[-1])
    if at[0] == 0:
        return float(sizes[0])
    part = (accuracy - curve[at[0] - 1]) / (curve[at[0]] - curve[at[0] - 1])
    return float(sizes[at[0] - 1] + part * (sizes[at[0]] - sizes[at[0] - 1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sources", nargs="+", help="folders of class folders, or solar")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--first", type=int, default=20)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES))
    parser.add_argument("--keep", type=Path, default=Path("/tmp/next_point"), help="where embeddings are kept")
    arguments = parser.parse_args()
    for source in arguments.sources:
        vectors, labels = embedded(source, arguments.keep)
        begin = max(arguments.first, int(labels.max()) + 1)
        sizes = begin + arguments.batch * np.arange(arguments.rounds + 1)
        curves = {
            name: np.array(
                [
                    replay(
                        vectors, labels, name, first=begin, batch=arguments.batch, rounds=arguments.rounds, seed=seed
                    )
                    for seed in range(arguments.repeats)
                ]
            )
            for name in dict.fromkeys(["random", *arguments.strategies])
        }
        for name, found in curves.items():
            record = {
                "set": Path(source).name,
                "strategy": name,
                "labels": sizes.tolist(),
                "accuracy": np.round(found.mean(axis=0), 4).tolist(),
                "area": round(float(found.mean()), 4),
                "labels_saved": round(saved(curves["random"].mean(axis=0), found.mean(axis=0), sizes), 3),
            }
            print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
