"""The probe of sets against an independent pipeline on the same features. In: a run of `--strategy probe`. Out: differences.

NumPy standardises, scikit-learn's LogisticRegression fits each class for itself at the strength that the run chose, and its
metrics score the test split; from the run come the embeddings, the strength, and each class's scale, offset and threshold.

    python benchmarks/multilabel_oracle.py RUN
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from sklearn import metrics
from sklearn.linear_model import LogisticRegression

from tellapart.bundle import MultilabelRecord, read_manifest
from tellapart.data.examples_csv import read_examples
from tellapart.data.targets import ClassNames, class_sets
from tellapart.preprocessing import load
from tellapart.runtime import Session


def embeddings(model: Path, paths: list[Path]) -> np.ndarray:
    """What model.onnx makes of pictures, float64 [N, D]."""
    manifest, session = read_manifest(model), Session(model, source=str(model))
    found = []
    for start in range(0, len(paths), 32):
        images = [load(path.read_bytes(), manifest.preprocessing.plain()) for path in paths[start : start + 32]]
        found.append(session.run(np.stack(images), ["embedding"])[0])
    return np.concatenate(found).astype(np.float64)


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both by the mean and deviation of `train`; a deviation below the median one counts as that."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.maximum(deviation, np.median(deviation[deviation > 1e-6 * np.hypot(mean, deviation)]))
    return (train - mean) / deviation, (test - mean) / deviation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path)
    run = parser.parse_args().run
    told = json.loads((run / "metrics.json").read_text())
    manifest = read_manifest(run / "model.onnx")
    record = manifest.record_of(MultilabelRecord)
    usable = [one for one in read_examples(run / "examples.csv", ClassNames) if one.split]
    vectors = embeddings(run / "model.onnx", [one.path for one in usable])
    targets = class_sets([one.target for one in usable], manifest.classes)
    train, test = (np.array([one.split == split for one in usable]) for split in ("train", "test"))
    fitted, asked = standardised(vectors[train], vectors[test])
    strength = told["training"]["probe"]["strength"]
    probabilities = np.zeros((int(test.sum()), len(manifest.classes)))
    for number in range(len(manifest.classes)):
        known = ~np.isnan(targets[train, number])
        one = LogisticRegression(C=1 / (strength * known.sum()), tol=1e-10, max_iter=100_000, solver="newton-cholesky")
        one.fit(fitted[known], targets[train, number][known])
        logits = one.decision_function(asked) * record.scales[number] + record.offsets[number]
        probabilities[:, number] = 1 / (1 + np.exp(-logits))
    true, said = targets[test], probabilities >= np.array(record.thresholds)
    expected = {
        "mean_average_precision": metrics.average_precision_score(true, probabilities, average="macro"),
        "micro_f1": metrics.f1_score(true, said, average="micro"),
        "macro_f1": metrics.f1_score(true, said, average="macro"),
        "hamming_loss": metrics.hamming_loss(true, said),
        "subset_accuracy": metrics.accuracy_score(true, said),
        "label_ranking_average_precision": metrics.label_ranking_average_precision_score(true, probabilities),
    }
    for name, value in expected.items():
        ours = told["test"][name]["value"]
        print(f"{name:<34}{ours:.9f}  {value:.9f}  {abs(ours - value):.1e}")


if __name__ == "__main__":
    main()
