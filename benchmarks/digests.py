"""Whether a change of the house changed a result. In: two sets of pictures. Out: SHA-256 of weights and probabilities.

Three runs of seed 0: the probe, fine-tuning for two epochs, LeNet from scratch for three. Run it before and after on one
machine; each line must be the same. Nothing that measures time decides anything in them.

    python benchmarks/digests.py CATS_DOGS HOTDOG
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from sklearn.datasets import load_digits

import tellapart


def write_digits(folder: Path, count: int = 500) -> Path:
    """The first pictures of scikit-learn's digits, as class folders of PNGs."""
    digits = load_digits()
    for number in range(count):
        target = folder / str(digits.target[number]) / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((digits.images[number] * 15.9375).astype("uint8")).save(target)
    return folder


def digests(run: Path) -> dict[str, str]:
    """SHA-256 of the weights, and of the tested probabilities as they were written, whatever the columns beside them."""
    with (run / "predictions.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    columns = sorted(name for name in rows[0] if name.startswith("probability of "))
    text = "\n".join(",".join(row[name] for name in columns) for row in rows)
    return {
        "weights": hashlib.sha256((run / "weights.safetensors").read_bytes()).hexdigest(),
        "probabilities": hashlib.sha256(text.encode()).hexdigest(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("cats_dogs", type=Path)
    parser.add_argument("hotdog", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "runs"
        runs: dict[str, tuple[Path, str, dict[str, Any]]] = {
            "probe": (arguments.cats_dogs, "probe", {}),
            "finetune": (arguments.hotdog, "finetune", {"loop": {"epochs": 2}, "finetune": {"views": 2}}),
            "scratch": (
                write_digits(Path(folder) / "digits"),
                "scratch",
                {"network": {"name": "lenet5", "channels": 1}, "loop": {"epochs": 3, "batch_size": 32}},
            ),
        }
        for name, (pictures, strategy, settings) in runs.items():
            result = tellapart.train(pictures, out=out, strategy=strategy, report=False, settings=settings)
            print(json.dumps({"run": name, "accuracy": result.accuracy.value, **digests(result.run)}), flush=True)


if __name__ == "__main__":
    main()
