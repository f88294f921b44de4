"""Foreign pictures given to a model. In: pictures to train on, foreign ones. Out: AUROC and shares flagged, as JSON lines.

Trains a probe on OWN and scores its test split beside each FOREIGN folder (or CSV) by the novelty in model.onnx; the
threshold keeps the share --coverage of the validation split. `solar` stands for the package elpv-dataset's cells:

    python benchmarks/foreign.py solar ../shared/data/cats_dogs_1400 ../shared/data/hotdog
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import tellapart
from tellapart.answers.predictor import Predictor
from tellapart.evaluation.intervals import bootstrap, wilson
from tellapart.evaluation.ranking import auroc, auroc_of_resamples
from tellapart.runtime import cores
from tellapart.storage import cache_folder
from tellapart.workflows.demo import write_solar_table


def area(own: NDArray[np.float32], foreign: NDArray[np.float32]) -> dict[str, float | None]:
    """AUROC of foreign pictures against own ones, with its 95 % interval."""
    novelty = np.concatenate([own, foreign]).astype(np.float64)
    scores = novelty / (1 + novelty)  # ranked alike, and rows sum to 1 as those of probabilities
    table, labels = np.stack([1 - scores, scores], axis=1), np.repeat([0, 1], [len(own), len(foreign)])
    areas = auroc_of_resamples(table, labels, np.arange(len(labels)))
    interval = bootstrap(lambda counts: {"area": areas(counts)}, group_count=len(labels), seed=0)["area"]
    low, high = interval or (None, None)
    return {"auroc": auroc(table, labels), "auroc_low": low, "auroc_high": high}


def pictures(source: str) -> list[str]:
    """The picture files of a folder, or of a CSV with a column `path`."""
    path = located(source)
    if path.is_dir():
        return [str(path)]
    with path.open(encoding="utf-8", newline="") as file:
        return [str(path.parent / row["path"]) for row in csv.DictReader(file)]


def located(source: str) -> Path:
    """The file or folder that `source` names."""
    return write_solar_table(cache_folder() / "demo") if source == "solar" else Path(source)


def novelty_of(classifier: Predictor, files: Sequence[str]) -> NDArray[np.float32]:
    """The novelty of all files that can be read."""
    found = classifier.predict(list(files)).novelty
    assert found is not None, "the model was trained a moment ago"
    return found[~np.isnan(found)]


def measure(own: str, foreign: Sequence[str], *, coverage: float, seed: int, folder: Path) -> None:
    """Train on `own`, and print a line for each of `foreign`."""
    settings = {"coverage": coverage, "report": False}
    result = tellapart.train(located(own), out=folder, strategy="probe", seed=seed, settings=settings)
    classifier = tellapart.load(result.model)
    with (result.run / "predictions.csv").open(encoding="utf-8", newline="") as file:
        tested = novelty_of(classifier, [row["path"] for row in csv.DictReader(file)])
    threshold = result.metrics["abstention"]["novelty_threshold"]
    limit = np.inf if threshold is None else threshold
    for source in foreign:
        strange = novelty_of(classifier, pictures(source))
        flagged = int((strange > limit).sum())
        low, high = wilson(flagged, len(strange))
        line = {
            "own": Path(own).name,
            "foreign": "/".join(Path(source).parts[-2:]),
            "seed": seed,
            **area(tested, strange),
            "flagged": flagged / len(strange),
            "flagged_low": low,
            "flagged_high": high,
            "n_foreign": len(strange),
            "kept": float((tested <= limit).mean()),
            "n_own": len(tested),
            "accuracy": result.accuracy.value,
            "covered": result.metrics["abstention"]["coverage"]["value"],
            "mean_set_size": result.metrics["abstention"]["mean_set_size"],
            "machine_cores": cores(),
        }
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("own", help="what to train on: a folder of class folders, a CSV, or solar")
    parser.add_argument("foreign", nargs="+", help="folders of pictures, CSVs, or solar")
    parser.add_argument("--coverage", type=float, default=0.95)
    parser.add_argument("--seeds", type=int, default=1, help="trainings, with seeds from 0 on")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            measure(arguments.own, arguments.foreign, coverage=arguments.coverage, seed=seed, folder=Path(folder))


if __name__ == "__main__":
    main()
