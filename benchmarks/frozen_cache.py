"""What caching the frozen stages gains. In: a folder of pictures. Out: seconds and accuracy with and without, as JSON lines.

Three trainings freeze the same stages and run the same epochs on the same pictures, in turn: ours with the frozen stages
computed once for each of K views; ours with them computed anew in every epoch; and the loop that people write with torch and
timm (files decoded in every epoch, `requires_grad = False` below, AdamW, a cosine):

    python benchmarks/frozen_cache.py PICTURES [--unfreeze 2] [--epochs 8] [--views 8] [--plain-epochs 8 12]

That loop may need more epochs to be as accurate, hence --plain-epochs: a training from the start for each number. Seconds are
those of the whole fine-tuning: building, exporting, caching, training. An empty cache folder is used.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

NAME = "tf_efficientnet_lite0"
BATCH = 32


def ours(arguments: argparse.Namespace, folder: str, views: int) -> tuple[dict[str, Any], Path]:
    """A training by `tellapart train`, and its run's folder."""
    import tellapart

    settings: dict[str, Any] = {
        "finetune": {"unfreeze": str(arguments.unfreeze), "views": views},
        "loop": {"epochs": arguments.epochs, "batch_size": BATCH},
    }
    result = tellapart.train(
        arguments.pictures,
        out=f"{folder}/runs",
        strategy="finetune",
        seed=arguments.seed,
        device="cpu",
        settings=settings,
        report=False,
        progress=True,
    )
    history = result.metrics["training"]["finetune"]["history"]
    best = min(history, key=lambda epoch: epoch["validation_loss"])
    return {
        "loop": f"ours, {views} views cached" if views else "ours, nothing cached",
        "seconds": result.metrics["seconds"]["fine-tuning"],
        "seconds_an_epoch": sum(epoch["seconds"] for epoch in history) / len(history),
        "validation_loss": best["validation_loss"],
        "test_accuracy": result.accuracy.value,
        "n_test": result.n_test,
    }, result.run


def plain(arguments: argparse.Namespace, run: Path, weights: Path, count: int) -> dict[str, Any]:
    """The same network, split and stages for `count` epochs in a loop of torch and timm, from the pretrained weights."""
    import safetensors.torch
    import timm
    import torch
    from PIL import Image
    from timm.data import create_transform, resolve_data_config
    from torch.utils.data import DataLoader, Dataset

    rows = list(csv.DictReader((run / "examples.csv").open(newline="", encoding="utf-8")))
    classes = sorted({row["label"] for row in rows})
    started = time.perf_counter()
    network = timm.create_model(NAME, num_classes=len(classes))
    network.load_state_dict(safetensors.torch.load_file(weights), strict=False)
    top = [*network.blocks[-arguments.unfreeze :], network.conv_head, network.bn2]
    network.requires_grad_(False)
    for module in [*top, network.classifier]:
        module.requires_grad_(True)
    config = resolve_data_config({}, model=network)

    class Pictures(Dataset[tuple[Any, int]]):
        def __init__(self, split: str, training: bool) -> None:
            self.rows = [row for row in rows if row["split"] == split]
            self.transform = create_transform(
                **config, is_training=training, scale=(0.8, 1.0), hflip=0.5, color_jitter=None, auto_augment=None
            )

        def __len__(self) -> int:
            return len(self.rows)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            row = self.rows[index]
            return self.transform(Image.open(row["path"]).convert("RGB")), classes.index(row["label"])

    torch.manual_seed(arguments.seed)
    train = DataLoader(Pictures("train", True), batch_size=BATCH, shuffle=True, num_workers=2, drop_last=True)
    test = DataLoader(Pictures("test", False), batch_size=BATCH, num_workers=2)
    optimizer = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], lr=4e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, count * len(train))
    loss_function = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    epochs = []
    for _ in range(count):
        began = time.perf_counter()
        network.eval()
        for module in top:
            module.train()
        for images, targets in train:
            loss = loss_function(network(images), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        epochs.append(time.perf_counter() - began)
    seconds = time.perf_counter() - started
    network.eval()
    with torch.inference_mode():
        right = sum(int((network(images).argmax(1) == targets).sum()) for images, targets in test)
    return {
        "loop": f"torch and timm, {count} epochs",
        "seconds": seconds,
        "seconds_an_epoch": sum(epochs) / len(epochs),
        "test_accuracy": right / len(test.dataset),
        "n_test": len(test.dataset),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--unfreeze", type=int, default=2, help="stages, from the top")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--views", type=int, default=8)
    parser.add_argument("--plain-epochs", type=int, nargs="+", help="of the loop of torch and timm (default: as ours)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TELLAPART_CACHE"] = f"{folder}/cache"
        cached, run = ours(arguments, folder, arguments.views)
        print(json.dumps(cached), flush=True)
        fresh, _ = ours(arguments, folder, 0)
        print(json.dumps(fresh), flush=True)
        (weights,) = Path(folder, "cache", "backbones").glob("*/weights.safetensors")
        others = [fresh]
        for count in arguments.plain_epochs or [arguments.epochs]:
            others.append(plain(arguments, run, weights, count))
            print(json.dumps(others[-1]), flush=True)
    for other in others:
        times = {key: round(other[key] / cached[key], 2) for key in ("seconds_an_epoch", "seconds")}
        print(json.dumps({"times_quicker_than": other["loop"], **times}), flush=True)


if __name__ == "__main__":
    main()
