"""The published protocol on solar cells. In: the package elpv-dataset. Out: accuracy with interval, as one JSON line.

Deitsch et al. 2019 (doi 10.1016/j.solener.2019.02.067) split the 2,624 cells 75/25, stratified, and reach 82.44 % with a
support vector machine and 88.42 % with a fine-tuned VGG-19. Here: the same share, seeds 0 to --seeds - 1, a logistic
regression on frozen features whose strength is chosen inside the training part:

    python benchmarks/elpv.py --seeds 5
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from tellapart.cli.console import make_reporter
from tellapart.data.examples import PictureFile
from tellapart.evaluation.intervals import wilson
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.caching import open_cache
from tellapart.features.engine import open_engine
from tellapart.features.extract import extract
from tellapart.runtime import cores
from tellapart.storage import cache_folder
from tellapart.training.probe import fit_probe
from tellapart.workflows.demo import write_solar_table
from tellapart.workflows.learning.examine import examine


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """The pictures of a set that can be read, as a frozen network sees them."""

    files: tuple[PictureFile, ...]
    vectors: np.ndarray  # float32 [N, D]
    labels: np.ndarray  # int64 [N]
    groups: np.ndarray  # [N], of copies
    backbone: ReadyBackbone


def seen_by(backbone_name: str, pictures: Path | None = None) -> Seen:
    """`pictures` is a folder or a CSV; None is all solar cells, of which 1 is defective."""
    backbone = prepare_backbone(backbone_name, cache=cache_folder(), weights=None).wait()
    with open_cache() as cache:
        source = pictures or write_solar_table(cache_folder() / "demo")
        examined = examine(source, cache=cache, reporter=make_reporter(quiet=False))
        usable = [row for row, one in enumerate(examined.inspections) if not one.problem]
        entries, looks = ([table[row] for row in usable] for table in (examined.listing.entries, examined.inspections))
        files = [
            PictureFile(path=entry.path, file_hash=one.file_hash, content_hash=one.content_hash)
            for entry, one in zip(entries, looks, strict=True)
        ]
        features = extract(
            files,
            engine=open_engine(backbone, "cpu"),
            preprocessing=backbone.preprocessing,
            embedding=backbone.embedding,
            fingerprint=backbone.fingerprint,
            stages=backbone.stages,
            cache=cache,
        )
    classes = ["functional", "defective"] if pictures is None else sorted({entry.target.text for entry in entries})
    return Seen(
        files=tuple(files),
        vectors=features.vectors,
        labels=np.array([classes.index(entry.target.text) for entry in entries], dtype=np.int64),
        groups=np.array([examined.audit.groups[row] for row in usable]),
        backbone=backbone,
    )


def embeddings(
    backbone_name: str, pictures: Path | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
    """Vectors [N, D], labels [N] and copy groups [N] of what can be read; how many numbers each stage has."""
    seen = seen_by(backbone_name, pictures)
    return seen.vectors, seen.labels, seen.groups, seen.backbone.stages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    arguments = parser.parse_args()
    vectors, labels, groups, stages = embeddings(arguments.backbone)
    right = total = 0
    scores = []
    for seed in range(arguments.seeds):
        train, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=seed)
        probe = fit_probe(vectors[train], labels[train], groups=groups[train], class_count=2, stages=stages, seed=seed)
        predicted = (vectors[test] @ probe.weight.T + probe.bias).argmax(axis=1)
        scores.append(float((predicted == labels[test]).mean()))
        right, total = int((predicted == labels[test]).sum()), len(test)
        low, high = wilson(right, total)
        print(json.dumps({"seed": seed, "accuracy": scores[-1], "low": low, "high": high, "n": total}))
    mean, deviation = float(np.mean(scores)), float(np.std(scores, ddof=1)) if len(scores) > 1 else None
    print(
        json.dumps(
            {
                "backbone": arguments.backbone,
                "mean": mean,
                "deviation": deviation,
                "published_svm": 0.8244,
                "published_cnn": 0.8842,
                "machine_cores": cores(),
            }
        )
    )


if __name__ == "__main__":
    main()
