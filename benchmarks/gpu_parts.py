"""One part of what a GPU is needed for. In: its name, a device, a folder. Out: rows as JSON lines. Next: gpu.py.

python benchmarks/gpu_parts.py tasks cuda /tmp/somewhere
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import tellapart
from tellapart.features.backbone import ReadyBackbone, prepare_backbone
from tellapart.features.engine import open_engine
from tellapart.reporter import Silent
from tellapart.settings.reading import make_settings
from tellapart.storage import cache_folder
from tellapart.workflows.train import train
from tests.tasks.made_data import DATA, PROBE, SCRATCH, SMALL

NETWORK = "tf_efficientnet_lite0"
HERE = Path(__file__).resolve().parent
# How far a first epoch's mean loss may be from the CPU's, as a share of it. Convolutions on a GPU are in TF32 by default.
SAME_LOSS, HALF_LOSS = 0.02, 0.1
SAME_EMBEDDING = 0.02  # of the largest number, in float16
LITTLE_MEMORY = 2**31  # bytes left to a training whose batch takes several times as much


def row(what: str, figure: object, *, good: bool = True, **more: Any) -> None:
    """Print what was found."""
    print(json.dumps({"what": what, "figure": figure, "good": bool(good), **more}), flush=True)


def digits(folder: Path, *, side: int = 64, count: int = 1797) -> Path:
    """The first `count` of scikit-learn's digits as JPEGs, a folder a class."""
    from sklearn.datasets import load_digits

    pictures, data = folder / f"digits-{side}-{count}", load_digits()
    if not pictures.exists():
        for number, (image, label) in enumerate(zip(data.images[:count], data.target[:count], strict=True)):
            target = pictures / str(label)
            target.mkdir(parents=True, exist_ok=True)
            picture = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8)).resize((side, side))
            picture.convert("RGB").save(target / f"{number}.jpg", quality=95)
    return pictures


def backbone() -> ReadyBackbone:
    """The embedded network, as a training takes it."""
    return prepare_backbone(NETWORK, cache=cache_folder(), weights=None).wait()


def tests(device: str, folder: Path) -> None:
    """The tests marked `gpu`; beside them what a pretended GPU shows, which needs none."""
    for marker, files in (("gpu", ["tests"]), ("slow and not long", ["tests/training/test_pretended_gpu.py"])):
        if marker == "gpu" and device != "cuda":
            row("tests marked gpu", "left out: no GPU")
            continue
        command = [sys.executable, "-m", "pytest", "-q", "-m", marker, "-p", "no:cacheprovider", *files]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        said = done.stdout.strip().splitlines()[-1]
        row(f"pytest -m {marker!r}", said, good=done.returncode == 0)


def embeddings(device: str, folder: Path) -> None:
    """Pictures through the frozen network on both."""
    ready = backbone()
    images = np.random.default_rng(1).integers(0, 256, (64, 224, 224, 3), dtype=np.uint8)
    here, there = open_engine(ready, "cpu").embed(images), open_engine(ready, device).embed(images)
    off = float(np.abs(here - there).max() / np.abs(here).max())
    row("embeddings, largest difference of the largest", round(off, 6), good=off <= SAME_EMBEDDING)
    norms = np.linalg.norm(here, axis=1) * np.linalg.norm(there, axis=1)
    cosine = float(((here * there).sum(axis=1) / norms).min())
    row("embeddings, least cosine", round(cosine, 6), good=cosine > 0.999)
    results = [
        tellapart.train(
            digits(folder, count=600),
            out=folder / f"probe-{one}",
            strategy="probe",
            device=one,
            settings={"report": False},
        )
        for one in ("cpu", device)
    ]
    flipped = sum(a != b for a, b in zip(*map(answers, results), strict=True))
    figures = [round(one.score.value, 4) for one in results]
    row("probe of digits, accuracy on CPU and here", figures, good=abs(figures[0] - figures[1]) < 0.02)
    row(
        "probe of digits, test answers that differ",
        f"{flipped} of {results[0].n_test}",
        good=flipped <= results[0].n_test // 50,
    )


def answers(result: Any) -> list[str]:
    """The class said of each test picture, by path."""
    with (result.run / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [one["predicted"] for one in sorted(rows, key=lambda one: one["path"])]


def first_epoch(name: Any, strategy: str, device: str, folder: Path, precision: str = "float32") -> tuple[float, float]:
    """Train and validation loss of one epoch on made data."""
    small: dict[str, Any] = {"network": {"size": 64}}
    if strategy == "scratch":
        small = dict(
            SCRATCH.get(
                name,
                SMALL if name in ("classification", "multilabel") else {"network": {"name": "resnet18", "size": 64}},
            )
        )
    if strategy == "finetune":
        small["finetune"] = {"unfreeze": "all"}
    loop = {**small.get("loop", {}), "epochs": 1, "precision": precision}
    made = Path(tempfile.mkdtemp(dir=folder))
    data = DATA[name](made)
    result = tellapart.train(
        data,
        out=folder / f"{name}-{strategy}-{device}-{precision}",
        strategy=strategy,
        device=device,
        settings={"report": False, **PROBE.get(name, {}), **small, "loop": loop},
    )
    (epoch,) = result.metrics["training"][strategy]["history"]
    return epoch["train_loss"], epoch["validation_loss"]


def tasks(device: str, folder: Path) -> None:
    """An epoch of every task, in float32, on both."""
    for name, strategy in [
        ("classification", "finetune"),
        ("multilabel", "finetune"),
        ("segmentation", "finetune"),
        ("detection", "finetune"),
        ("classification", "scratch"),
        ("text", "scratch"),
    ]:
        here, there = (first_epoch(name, strategy, one, folder) for one in ("cpu", device))
        off = abs(here[0] - there[0]) / abs(here[0])
        figure = f"{here[0]:.5f} and {there[0]:.5f}, {100 * off:.3f} % apart"
        row(f"{name}, {strategy}: training loss", figure, good=off <= SAME_LOSS)


def precision(device: str, folder: Path) -> None:
    """The same epoch in half precision."""
    base = first_epoch("classification", "finetune", device, folder)
    kinds = ("bfloat16", "float16") if device == "cuda" else ("bfloat16",)
    for kind in kinds:
        found = first_epoch("classification", "finetune", device, folder, kind)
        off = abs(found[0] - base[0]) / abs(base[0])
        row(
            f"{kind}: training loss",
            f"{base[0]:.5f} and {found[0]:.5f}, {100 * off:.3f} % apart",
            good=off <= HALF_LOSS,
        )


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(text)


def memory(device: str, folder: Path) -> None:
    """A batch that is too large for what is left of the card is halved until it fits."""
    import torch

    if device != "cuda":
        row("memory that runs out", "left out: no GPU")
        return
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, LITTLE_MEMORY / total))
    heard = Heard()
    settings = {
        "pictures": str(digits(folder)),
        "out": str(folder / "memory"),
        "strategy": "finetune",
        "device": device,
        "report": False,
        "finetune": {"unfreeze": "all"},
        "loop": {"epochs": 1, "batch_size": 512},
    }
    result = train(make_settings(settings), reporter=heard)
    halved = [text for text in heard.said if "memory ran out" in text]
    row("memory that runs out: halved", len(halved), good=bool(halved), said=halved)
    row("memory that runs out: trained to the end", result.strategy, good=result.strategy == "finetune")
    row("most memory at once, MiB", round(torch.cuda.max_memory_allocated() / 2**20))


def speed(device: str, folder: Path) -> None:
    """Our loop beside one in timm's style, in turn."""
    pictures = digits(folder, side=256)
    steps, batch = ("30", "128") if device == "cuda" else ("2", "8")
    command = [sys.executable, str(HERE / "throughput.py"), str(pictures), "--device", device]
    done = subprocess.run(
        [*command, "--steps", steps, "--batch-size", batch, "--rounds", "2"], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        found = json.loads(line)
        if "loop" in found:
            row(f"fine-tuning, {found['loop']}: pictures a second", found["pictures_a_second"])
        else:
            row("fine-tuning, times as quick as timm's style", found["times_quicker"])


def embedding_speed(device: str, folder: Path) -> None:
    """Embeddings of files, ours beside a loader and the network as timm's users write it, in turn."""
    pictures = sorted(digits(folder, side=256).rglob("*.jpg"))[: None if device == "cuda" else 96]
    found: dict[str, list[float]] = {"theirs": [], "ours": []}
    for _ in range(2):
        for kind, embed in (("theirs", their_embeddings), ("ours", our_embeddings)):
            found[kind].append(len(pictures) / embed(pictures, device))
    for kind, rates in found.items():
        row(f"embeddings, {kind}: pictures a second", [round(rate, 1) for rate in rates])
    row("embeddings, times as quick as timm's style", round(max(found["ours"]) / max(found["theirs"]), 2))


def our_embeddings(pictures: list[Path], device: str) -> float:
    """Seconds; the network was opened before."""
    from tellapart.data.examples import PictureFile
    from tellapart.features.extract import extract

    ready = backbone()
    engine = open_engine(ready, device)
    engine.embed(np.zeros((engine.batch, 224, 224, 3), dtype=np.uint8))
    files = [PictureFile(path=path, file_hash="", content_hash=str(number)) for number, path in enumerate(pictures)]
    started = time.perf_counter()
    extract(
        files,
        engine=engine,
        preprocessing=ready.preprocessing,
        embedding=ready.embedding,
        fingerprint=ready.fingerprint,
        cache=None,
    )
    return time.perf_counter() - started


def their_embeddings(pictures: list[Path], device: str) -> float:
    """Seconds of a DataLoader with timm's transform and its network, in half precision on a GPU."""
    import timm
    import torch
    from timm.data import create_transform, resolve_data_config

    network = timm.create_model(NETWORK, num_classes=0).eval().to(device, memory_format=torch.channels_last)
    transform = create_transform(**resolve_data_config({}, model=network))

    class Files(torch.utils.data.Dataset[Any]):
        def __len__(self) -> int:
            return len(pictures)

        def __getitem__(self, index: int) -> Any:
            return transform(Image.open(pictures[index]).convert("RGB"))

    workers = min(8, os.cpu_count() or 1)
    loader = torch.utils.data.DataLoader(Files(), batch_size=128, num_workers=workers, pin_memory=device == "cuda")
    half = torch.autocast(device, dtype=torch.float16, enabled=device == "cuda")
    started = time.perf_counter()
    with torch.inference_mode(), half:
        for images in loader:
            network(images.to(device, memory_format=torch.channels_last, non_blocking=True)).float().cpu()
    return time.perf_counter() - started


def cards(device: str, folder: Path) -> None:
    """Two processes, where there are two cards."""
    import torch

    count = torch.cuda.device_count() if device == "cuda" else 0
    if count < 2:
        row("two cards", f"left out: there are {count}")
        return
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "-m",
        "tellapart.cli.main",
        "train",
    ]
    options = ["--strategy", "finetune", "--unfreeze", "all", "--epochs", "1", "--no-report", "--json", "--quiet"]
    done = subprocess.run(
        [*command, str(digits(folder)), "--out", str(folder / "cards"), *options],
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r'"accuracy".*?"value": ([0-9.]+)', done.stdout, re.DOTALL)
    row("two cards, accuracy of an epoch", found[1] if found else "none told", good=found is not None)


RUN: dict[str, Callable[[str, Path], None]] = {
    one.__name__: one for one in (tests, embeddings, tasks, precision, memory, speed, embedding_speed, cards)
}

if __name__ == "__main__":
    RUN[sys.argv[1]](sys.argv[2], Path(sys.argv[3]))
