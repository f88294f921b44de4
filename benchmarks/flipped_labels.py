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

from tellapart.cli.console import make_reporter
from tellapart.data.examples import PictureFile
from tellapart.evaluation.labels import LabelReport, examine_labels
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.features.engine import open_engine
from tellapart.features.extract import extract
from tellapart.storage import cache_folder
from tellapart.training.out_of_fold import out_of_fold
from tellapart.workflows.demo import write_solar_table
from tellapart.workflows.learning.examine import examine


def read(
    pictures: Path, backbone: ReadyBackbone, cache: Cache, *, stages: bool
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Embeddings [N, D], with the means of all stages or without, labels [N] and copy groups [N] of what can be read."""
    examined = examine(pictures, cache=cache, reporter=make_reporter(quiet=False))
    entries, seen = examined.listing.entries, examined.inspections
    usable = [index for index, inspection in enumerate(seen) if not inspection.problem]
    features = extract(
        [
            PictureFile(
                path=entries[index].path, file_hash=seen[index].file_hash, content_hash=seen[index].content_hash
            )
            for index in usable
        ],
        engine=open_engine(backbone, "cpu"),
        preprocessing=backbone.preprocessing,
        embedding=backbone.embedding,
        fingerprint=backbone.fingerprint,
        stages=backbone.stages,
        cache=cache,
    )
    classes = sorted({entries[index].target.text for index in usable})
    labels = np.array([classes.index(entries[index].target.text) for index in usable], dtype=np.int64)
    # The last layer alone is what the label doctor takes.
    vectors = features.vectors if stages else features.vectors[:, sum(backbone.stages) :]
    return vectors, labels, [examined.audit.groups[index] for index in usable]


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
    backbone = prepare_backbone(arguments.backbone, cache=cache_folder(), weights=None).wait()
    with open_cache() as cache:
        for name in arguments.pictures:
            pictures = write_solar_table(cache_folder() / "demo") if name == "solar" else Path(name)
            vectors, labels, groups = read(pictures, backbone, cache, stages=arguments.stages)
            facts = {
                "pictures": pictures.name,
                "n": len(labels),
                "classes": int(labels.max()) + 1,
                "numbers": vectors.shape[1],
                "named_before": len(judge(vectors, labels, groups)[0].wrong),
            }
            found = [measure(vectors, labels, groups, arguments.share, seed) for seed in range(arguments.seeds)]
            for row in found:
                print(json.dumps(facts | row), flush=True)
            mean = {
                key: round(float(np.mean([row[key] for row in found])), 3) for key in ("precision", "recall", "top")
            }
            print(json.dumps(facts | {"mean_of_seeds": arguments.seeds} | mean), flush=True)


if __name__ == "__main__":
    main()
