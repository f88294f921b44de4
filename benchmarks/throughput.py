"""Fine-tuning all stages, against a loop in the style of timm's train.py. In: a folder of class folders. Out: JSON lines.

The same network, batch and size, on the same pictures, in turn, each in a process of its own; the first steps are not
counted. timm's loop: its dataset, its loader with its training transforms, its optimizer factory, float32 (on a GPU bfloat16, as
its --amp has it), the loop of train.py (Wightman, pytorch-image-models). Ours: files shrunk once, varied, and the loop of
training/loop.py.

    python benchmarks/throughput.py PICTURES [--steps 20] [--batch-size 32] [--rounds 2] [--device cuda]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

NAME = "tf_efficientnet_lite0"
SKIPPED = 3  # first steps, in which buffers are made and files come into memory


def theirs(pictures: Path, steps: int, batch_size: int, device: str) -> float:
    """Pictures a second of a loop as in timm's train.py."""
    import timm
    import torch
    from timm.data import create_dataset, create_loader, resolve_data_config
    from timm.optim import create_optimizer_v2

    dataset = create_dataset("", root=str(pictures), split="train", is_training=True)
    network = timm.create_model(NAME, num_classes=len(dataset.reader.class_to_idx)).to(device)
    if device != "cpu":
        network.to(memory_format=torch.channels_last)
    config = resolve_data_config({}, model=network)
    loader = create_loader(
        dataset,
        input_size=config["input_size"],
        batch_size=batch_size,
        is_training=True,
        mean=config["mean"],
        std=config["std"],
        interpolation=config["interpolation"],
        num_workers=2 if device == "cpu" else min(8, os.cpu_count() or 1),
        use_prefetcher=device != "cpu",
        hflip=0.5,
        color_jitter=None,
        device=torch.device(device),
    )
    optimizer = create_optimizer_v2(network, opt="adamw", lr=1e-4, weight_decay=0.05)
    loss_function = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    network.train()
    started, done = 0.0, 0
    while True:
        for images, targets in loader:
            if done == SKIPPED:
                started = time.perf_counter()
            with torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu"):
                loss = loss_function(network(images), targets)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            loss.item()
            done += 1
            if done == steps + SKIPPED:
                return steps * batch_size / (time.perf_counter() - started)


def ours(pictures: Path, steps: int, batch_size: int, device: str) -> float:
    """Pictures a second of the loop that `tellapart train --unfreeze all` runs."""
    from tellapart.reporter import Silent
    from tellapart.settings.reading import make_settings
    from tellapart.workflows.train import train

    times: list[float] = []

    class Enough(Exception):
        pass

    class Watch(Silent):
        @contextlib.contextmanager
        def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
            yield watch if title == "Fine-tuning" else lambda count: None

    def watch(count: int) -> None:
        if count:  # the first call tells how much an earlier process did
            times.append(time.perf_counter())
        if len(times) == steps + SKIPPED:
            raise Enough

    with tempfile.TemporaryDirectory() as folder:
        settings = make_settings(
            {
                "pictures": str(pictures),
                "out": folder,
                "strategy": "finetune",
                "device": device,
                "finetune": {"unfreeze": "all"},
                "augment": {"preset": "none", "horizontal_flip": 0.5, "crop": 0.1},
                "loop": {"epochs": 100, "batch_size": batch_size},
            }
        )
        with contextlib.suppress(Enough):
            train(settings, reporter=Watch())
    return steps * batch_size / (times[-1] - times[SKIPPED - 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--only", choices=["ours", "theirs"])
    arguments = parser.parse_args()
    if arguments.only:
        run = ours if arguments.only == "ours" else theirs
        print(run(arguments.pictures, arguments.steps, arguments.batch_size, arguments.device))
        return
    rates: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(arguments.rounds):
        for kind, found in rates.items():
            done = subprocess.run(
                [sys.executable, *sys.argv, "--only", kind], capture_output=True, text=True, check=True
            )
            found.append(float(done.stdout.split()[-1]))
            print(json.dumps({"loop": kind, "pictures_a_second": round(found[-1], 1)}), flush=True)
    best = {kind: max(found) for kind, found in rates.items()}
    print(json.dumps({"times_quicker": round(best["ours"] / best["theirs"], 2)}))


if __name__ == "__main__":
    main()
