"""The last layer against all stages of a frozen network. In: folders or CSVs of pictures. Out: both probes' figures, as JSON lines.

75/25 splits, stratified, seeds 0 to --seeds - 1: a logistic regression on the last layer's numbers beside one that may take the
means of every stage too, both with all that they choose chosen inside the training part. Copies may be in both parts, for either
probe alike. Embeddings come from the cache, so that only the first run takes long:

    python benchmarks/stages.py solar sign_digits/ cats_dogs_1400/ hotdog/ brain_tumor_yesno/     solar: the package elpv-dataset
    python benchmarks/stages.py hotdog/ --last-only                                               one side alone

`accuracy` and `log_loss` are means over the splits, `test` is how many pictures a split tests on, `differs` how many test pictures
of all splits only the stages had right, and only the last layer; the splits overlap, so these are no independent trials.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from elpv import embeddings
from sklearn.model_selection import train_test_split

from tellapart.evaluation.calibrating import log_losses
from tellapart.runtime import cores
from tellapart.training.probe import fit_probe

Side = dict[str, Any]


def fit_one(
    vectors: np.ndarray, labels: np.ndarray, groups: np.ndarray, stages: tuple[int, ...], seed: int
) -> tuple[Side, np.ndarray]:
    """One split's figures, and which test pictures the probe had right [n]. `stages` () fits on all of `vectors` alike."""
    train, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=seed)
    began = time.process_time()
    classes = int(labels.max()) + 1
    probe = fit_probe(
        vectors[train], labels[train], groups=groups[train], class_count=classes, stages=stages, seed=seed
    )
    seconds = time.process_time() - began
    logits = vectors[test] @ probe.weight.T + probe.bias
    right = logits.argmax(axis=1) == labels[test]
    loss = float(log_losses(logits, labels[test]).mean())
    return {
        "accuracy": float(right.mean()),
        "log_loss": loss,
        "seconds": seconds,
        "weighing": probe.weighed.weighing,
    }, right


def mean_of(splits: list[Side]) -> Side:
    """The means over the splits, and how often each weighing was chosen."""
    figures = {
        key: round(float(np.mean([split[key] for split in splits])), 4) for key in ("accuracy", "log_loss", "seconds")
    }
    return figures | {"weighings": dict(Counter(split["weighing"] for split in splits))}


def measure(source: str, *, backbone: str, seeds: int, last_only: bool) -> None:
    """Print the line of one set of pictures."""
    vectors, labels, groups, stages = embeddings(backbone, None if source == "solar" else Path(source))
    last = np.ascontiguousarray(vectors[:, sum(stages) :])
    found: dict[str, list[tuple[Side, np.ndarray]]] = {"last": []} if last_only else {"last": [], "stages": []}
    for seed in range(seeds):
        found["last"].append(fit_one(last, labels, groups, (), seed))
        if not last_only:
            found["stages"].append(fit_one(vectors, labels, groups, stages, seed))
    line = {"pictures": Path(source).name, "n": len(labels), "test": len(found["last"][0][1]), "seeds": seeds}
    line |= {side: mean_of([figures for figures, _ in splits]) for side, splits in found.items()}
    if not last_only:
        last_right, stages_right = (np.concatenate([right for _, right in splits]) for splits in found.values())
        more, less = int((stages_right & ~last_right).sum()), int((last_right & ~stages_right).sum())
        line["differs"] = {"only_stages": more, "only_last": less}
    print(json.dumps(line | {"machine_cores": cores()}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", nargs="+", help="folders of class folders, CSVs, or solar")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--last-only", action="store_true", help="leave the stages out")
    arguments = parser.parse_args()
    for source in arguments.pictures:
        measure(source, backbone=arguments.backbone, seeds=arguments.seeds, last_only=arguments.last_only)


if __name__ == "__main__":
    main()
