"""How the classifier's time grows with the number of classes. In: nothing. Out: a row a size. Next: README.md.

Vectors are made, 1,280 numbers each as the embedded network gives: a centre a class, noise, nothing below 0. Each size runs in a
process of its own, so that its peak memory is its own; the vectors themselves are part of it and told beside.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time

import numpy as np
from numpy.typing import NDArray

from tellapart.training.discriminant import fit_discriminant, is_for
from tellapart.training.probe import fit_probe

SIZES = ((100, 4), (300, 4), (1_000, 4), (3_000, 5), (10_000, 5))
LENGTH = 1_280


def made(class_count: int, each: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors [N, D] and labels [N]; the last picture of each class is for the test."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(class_count), each)
    vectors = generator.standard_normal((class_count, LENGTH), dtype=np.float32)[labels]
    vectors += 1.2 * generator.standard_normal(vectors.shape, dtype=np.float32)
    return np.maximum(vectors, 0, out=vectors), labels


def measure(class_count: int, each: int) -> str:
    """One row of Markdown."""
    vectors, labels = made(class_count, each)
    test = np.arange(len(labels)) % each == 0
    train, targets = vectors[~test], labels[~test]
    tried = np.flatnonzero(test)[:: max(1, class_count // 2_000)]
    given = vectors.nbytes + train.nbytes
    started = time.monotonic()
    closed = is_for(len(targets), class_count)
    fit = fit_discriminant if closed else fit_probe
    fitted = fit(train, targets, groups=np.arange(len(targets)), class_count=class_count, seed=0)
    seconds = time.monotonic() - started
    right = ((vectors[tried] @ fitted.weight.T + fitted.bias).argmax(axis=1) == labels[tried]).mean()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    name = "discriminant" if closed else "softmax regression"
    memory = f"{peak / 1e6:,.0f} MB | {given / 1e6:,.0f} MB"
    return f"| {class_count:,} | {each - 1} | {name} | {seconds:.1f} s | {memory} | {right:.1%} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--classes", type=int, nargs="*", help="only these sizes")
    arguments = parser.parse_args()
    print("| classes | pictures of each to train on | classifier | time | peak memory | of that the vectors | right |")
    print("|---|---|---|---|---|---|---|")
    context = multiprocessing.get_context("spawn")
    for class_count, each in SIZES:
        if not arguments.classes or class_count in arguments.classes:
            with context.Pool(1) as pool:
                print(pool.apply(measure, (class_count, each)), flush=True)


if __name__ == "__main__":
    main()
