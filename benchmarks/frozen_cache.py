"""What caching the frozen stages gains. In: a folder of pictures. Out: seconds and accuracy with and without, as JSON lines.

Both trainings start from the same probe, freeze the same stages, and run the same epochs; one computes the frozen stages
once for each of K views, the other anew in every epoch (plain partial fine-tuning):

    python benchmarks/frozen_cache.py PICTURES [--unfreeze 2] [--epochs 8] [--views 8]

Seconds are those of the whole fine-tuning: building, exporting, caching, training. An empty cache folder is used.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--unfreeze", default="2")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TELLAPART_CACHE"] = f"{folder}/cache"
        import tellapart

        seconds: dict[int, float] = {}
        for views in (arguments.views, 0):
            settings: dict[str, Any] = {
                "finetune": {"unfreeze": arguments.unfreeze, "views": views},
                "loop": {"epochs": arguments.epochs},
            }
            result = tellapart.train(
                arguments.pictures, out=f"{folder}/runs", strategy="finetune", seed=arguments.seed, device="cpu",
                settings=settings, progress=True,
            )  # fmt: skip
            history = result.metrics["training"]["finetune"]["history"]
            seconds[views] = result.metrics["seconds"]["fine-tuning"]
            best = min(history, key=lambda epoch: epoch["validation_loss"])
            print(
                json.dumps(
                    {
                        "views": views, "seconds": seconds[views],
                        "seconds_an_epoch": sum(epoch["seconds"] for epoch in history) / len(history),
                        "validation_accuracy": best["validation_accuracy"], "validation_loss": best["validation_loss"],
                        "test": result.accuracy.model_dump(), "n_test": result.n_test,
                    }
                ),
                flush=True,
            )  # fmt: skip
    print(json.dumps({"times_quicker": round(seconds[0] / seconds[arguments.views], 2)}))


if __name__ == "__main__":
    main()
