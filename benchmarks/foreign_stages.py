"""Novelty by the last layer or by all stages. In: folders or CSVs of pictures. Out: AUROC each way, as JSON lines.

Of each set a fifth is held out, stratified; the novelty is fitted to the rest, and the held-out pictures are ranked against those
of each other set. `last` is the last layer's numbers, as model.onnx scores them; `all` all numbers as they are; `blocks` all
numbers with the block of each stage and of the last layer scaled to length one. Nothing is trained; embeddings come from the cache.

    python benchmarks/foreign_stages.py solar sign_digits/ hotdog/ cats_dogs_1400/     solar: the package elpv-dataset
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from elpv import embeddings
from foreign import area
from sklearn.model_selection import train_test_split

from tellapart.evaluation.novelty import choose_pictures, fit_novelty

_LEAST = 1e-6  # of a block's length; one of zeros stays zeros

Way = Callable[[np.ndarray, tuple[int, ...]], np.ndarray]


def blocks_of_length_one(vectors: np.ndarray, stages: tuple[int, ...]) -> np.ndarray:
    """Vectors [N, D] whose block of each layer has length one."""
    blocks = np.split(vectors, np.cumsum(stages), axis=1)
    return np.concatenate([one / np.maximum(np.linalg.norm(one, axis=1, keepdims=True), _LEAST) for one in blocks], 1)


WAYS: Mapping[str, Way] = {
    "last": lambda vectors, stages: vectors[:, sum(stages) :],
    "all": lambda vectors, stages: vectors,
    "blocks": blocks_of_length_one,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", nargs="+", help="two or more folders of class folders, CSVs, or solar")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    arguments = parser.parse_args()
    sets = {
        Path(source).name: embeddings(arguments.backbone, None if source == "solar" else Path(source))
        for source in arguments.pictures
    }
    areas: dict[str, list[float]] = {way: [] for way in WAYS}
    for own, (vectors, labels, _, stages) in sets.items():
        rows = np.arange(len(labels))
        train, test = train_test_split(rows, test_size=0.2, stratify=labels, random_state=arguments.seed)
        train = train[choose_pictures(labels[train], seed=arguments.seed)]
        for way, numbers in WAYS.items():
            novelty = fit_novelty(numbers(vectors[train], stages), labels[train])
            tested = novelty.score(numbers(vectors[test], stages))
            against = {
                name: round(float(area(tested, novelty.score(numbers(other[0], stages)))["auroc"]), 4)
                for name, other in sets.items()
                if name != own
            }
            areas[way].extend(against.values())
            print(json.dumps({"own": own, "by": way, "test": len(test), "auroc": against}), flush=True)
    print(json.dumps({"mean": {way: round(float(np.mean(found)), 4) for way, found in areas.items()}}), flush=True)


if __name__ == "__main__":
    main()
