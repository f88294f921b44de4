"""The published protocol on solar cells, fine-tuned. In: elpv-dataset, a recipe. Out: accuracy with interval, as JSON lines.

Deitsch et al. 2019 (doi 10.1016/j.solener.2019.02.067) split the 2,624 cells 75/25, stratified, and reach 88.42 % with a
fine-tuned VGG-19. Here: the same share, the split of each seed handed to `tellapart train` as a CSV; validation pictures
come out of the training part.

    python benchmarks/elpv_finetune.py --seeds 3 [--recipe recipes/elpv_finetune.toml] [--set loop.epochs=12]
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from sklearn.model_selection import train_test_split

from tellapart.cli.console import make_reporter
from tellapart.settings.reading import make_settings, merge, parse_assignment, read_recipe
from tellapart.storage import cache_folder
from tellapart.workflows.demo import write_solar_table
from tellapart.workflows.train import train


def write_split(folder: Path, seed: int) -> Path:
    """A CSV of all cells with the split of this seed."""
    table = write_solar_table(cache_folder() / "demo")
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = [row["label"] for row in rows]
    _, test = train_test_split(np.arange(len(rows)), test_size=0.25, stratify=labels, random_state=seed)
    held_out = set(test.tolist())
    path = folder / f"elpv-seed-{seed}.csv"
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for number, row in enumerate(rows):
            writer.writerow([table.parent / row["path"], row["label"], "test" if number in held_out else "train"])
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--recipe", type=Path, default=Path(__file__).parents[1] / "recipes" / "elpv_finetune.toml")
    parser.add_argument("--set", dest="assignments", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path("runs"))
    arguments = parser.parse_args()
    scores = []
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        values = read_recipe(arguments.recipe)
        for text in arguments.assignments:
            values = merge(values, parse_assignment(text))
        given = {"pictures": str(write_split(arguments.out, seed)), "out": str(arguments.out), "seed": seed}
        result = train(make_settings(merge(values, given)), reporter=make_reporter(quiet=False))
        scores.append(result.accuracy.value)
        print(
            json.dumps(
                {
                    "seed": seed,
                    "accuracy": result.accuracy.value,
                    "low": result.accuracy.low,
                    "high": result.accuracy.high,
                    "n": result.n_test,
                    "minutes": round(result.seconds / 60, 2),
                    "validation": result.metrics["validation"],
                    "run": str(result.run),
                }
            ),
            flush=True,
        )
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
    print(json.dumps({"mean": float(np.mean(scores)), "deviation": deviation, "published_cnn": 0.8842}))


if __name__ == "__main__":
    main()
