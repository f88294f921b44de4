"""What does less precision cost? In: sets of pictures. Out: a JSON line for each set and way to fit; milliseconds a picture.

Every picture is embedded by ONNX Runtime in float32, which is what ships, by OpenVINO in bfloat16 and by ONNX Runtime in int8. Over
splits of 75/25 a classifier, its stages weighed as a training does, is fitted on what a way to fit makes of the training part's
embeddings, and tested on float32, or on rounded weights or int8 where these would ship. A way is free where it loses at most 0.2
points of accuracy and 1 % of log loss. Embeddings are kept in --keep, so a second call is quick.

    python benchmarks/engines.py DATA/sign_digits DATA/hotdog solar --seeds 5     # solar: the package elpv-dataset
    python benchmarks/engines.py DATA/sign_digits --time                          # the engines in turn, one thread
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from sklearn.model_selection import train_test_split

from tellapart.data.folder import scan
from tellapart.errors import PictureError
from tellapart.features.backbone import prepare_backbone
from tellapart.features.openvino_engine import OpenVinoEngine
from tellapart.preprocessing import Preprocessing, load
from tellapart.runtime import BATCH, Session, cores
from tellapart.storage import cache_folder
from tellapart.training.probe import fit_probe
from tellapart.workflows.demo import write_solar_table

Run = Callable[[np.ndarray], np.ndarray]
Sets = Mapping[str, np.ndarray]  # "float32", "bfloat16", "rounded", "int8" [N, D]; "labels" [N]
NUMBERS = (300, 1000)  # training pictures that are embedded both ways
CALIBRATING = 128  # pictures whose activations say the ranges of int8


def rounded(network: Path, folder: Path) -> Path:
    """The same network with its convolutions' weights rounded to bfloat16, half to even, as the processor rounds them."""
    model = onnx.load(network)
    for initializer in model.graph.initializer:
        values = onnx.numpy_helper.to_array(initializer)
        if values.dtype == np.float32 and values.ndim == 4:
            bits = np.ascontiguousarray(values).view(np.uint32).astype(np.uint64)
            bits = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32)
            initializer.CopyFrom(onnx.numpy_helper.from_array(bits.view(np.float32), initializer.name))
    path = folder / "rounded.onnx"
    onnx.save(model, path)
    return path


class _Pictures(CalibrationDataReader):
    """Pictures [n, S, S, 3], a few at a time."""

    def __init__(self, name: str, images: np.ndarray) -> None:
        self._batches = iter([{name: images[start : start + 8]} for start in range(0, len(images), 8)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._batches, None)


def calibrated(network: Path, folder: Path, images: np.ndarray) -> Path:
    """The same network with int8 weights, a scale a channel, and activations whose ranges those pictures showed."""
    readied, path = folder / "readied.onnx", folder / "int8.onnx"
    quant_pre_process(network, readied)
    name = onnx.load(readied).graph.input[0].name
    quantize_static(readied, path, _Pictures(name, images), per_channel=True, op_types_to_quantize=["Conv"])
    return path


def engines(network: Path, folder: Path, size: int, images: np.ndarray) -> Mapping[str, Run]:
    """The ways to embed uint8 [B, S, S, 3], each on one thread a call; int8 is calibrated by `images`."""
    shipped, round_weights, int8 = (
        Session(path, source=str(path))
        for path in (network, rounded(network, folder), calibrated(network, folder, images))
    )
    return {
        "int8": lambda images: int8.run(images, ["embedding"])[0],
        "float32": lambda images: shipped.run(images, ["embedding"])[0],
        "rounded": lambda images: round_weights.run(images, ["embedding"])[0],
        "bfloat16": OpenVinoEngine(network, precision="bfloat16", size=size).embed,
        "openvino float32": OpenVinoEngine(network, precision="float32", size=size).embed,
    }


def pictures(source: str) -> tuple[list[Path], np.ndarray]:
    """Paths and the numbers of their classes."""
    if source == "solar":
        table = write_solar_table(cache_folder() / "demo")
        rows = [line.split(",") for line in table.read_text(encoding="utf-8").split()[1:]]
        paths, names = [table.parent / row[0] for row in rows], [row[1] for row in rows]
    else:
        entries = scan(Path(source)).entries
        paths, names = [entry.path for entry in entries], [entry.target.text for entry in entries]
    return paths, np.unique(names, return_inverse=True)[1]


def embed(source: str, runs: Mapping[str, Run], preprocessing: Preprocessing, keep: Path) -> Sets:
    """Every picture that can be read, identical ones once, embedded in each way; from `keep` where it is there."""
    path = keep / f"{Path(source).name}.npz"
    if path.exists():
        return dict(np.load(path))
    paths, labels = pictures(source)
    names = ("float32", "bfloat16", "rounded", "int8")

    def batch(start: int) -> tuple[list[int], list[np.ndarray]]:
        good, images = [], []
        for row in range(start, min(start + BATCH, len(paths))):
            try:
                images.append(load(paths[row].read_bytes(), preprocessing))
                good.append(row)
            except PictureError:
                continue
        return good, [runs[name](np.stack(images)) for name in names] if good else []

    with ThreadPoolExecutor(cores()) as pool:
        done = [found for found in pool.map(batch, range(0, len(paths), BATCH)) if found[0]]
    rows = np.concatenate([good for good, _ in done])
    sets = {name: np.concatenate([vectors[place] for _, vectors in done]) for place, name in enumerate(names)}
    once = np.sort(np.unique(sets["float32"], axis=0, return_index=True)[1])
    sets = {name: vectors[once] for name, vectors in sets.items()} | {"labels": labels[rows][once]}
    np.savez(path, **sets)
    return sets


def line(fast: np.ndarray, exact: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slope and offset [D] of each number, by least squares."""
    centre = fast.mean(axis=0)
    moved = fast - centre
    slope = (moved * exact).sum(axis=0) / np.maximum((moved * moved).sum(axis=0), 1e-12)
    slope[(moved * moved).sum(axis=0) < 1e-9] = 1.0
    return slope, exact.mean(axis=0) - slope * centre


def by_stage(fast: np.ndarray, known: np.ndarray, exact: np.ndarray, blocks: Sequence[int]) -> np.ndarray:
    """`mapped` with each stage's numbers predicted from that stage's own."""
    ends = np.cumsum(blocks)
    parts = [slice(end - size, end) for end, size in zip(ends, blocks, strict=True)]
    return np.concatenate([mapped(fast[:, part], known, exact[:, part], 1.0) for part in parts], axis=1)


def mapped(fast: np.ndarray, known: np.ndarray, exact: np.ndarray, penalty: float) -> np.ndarray:
    """`fast` [N, D] with each number's error predicted from all numbers: ridge regression on the `known` rows."""
    own = fast[known].astype(np.float64)
    mean, scale = own.mean(axis=0), own.std(axis=0) + 1e-6
    inputs, error = (own - mean) / scale, exact[known] - own
    gram = inputs @ inputs.T / inputs.shape[1]
    dual = np.linalg.solve(gram + penalty * np.eye(len(gram)), error - error.mean(axis=0))
    found = ((fast - mean) / scale) @ inputs.T / inputs.shape[1] @ dual + error.mean(axis=0)
    return np.asarray(fast + found, dtype=np.float32)


def ways(sets: Sets, train: np.ndarray, seed: int, blocks: Sequence[int]) -> Mapping[str, tuple[np.ndarray, str]]:
    """Name -> what is fitted on [n, D], and which embeddings test it."""
    exact, fast = sets["float32"][train], sets["bfloat16"][train]
    found = {
        "float32": (exact, "float32"),
        "bfloat16": (fast, "float32"),
        "rounded weights, float32": (sets["rounded"][train], "rounded"),
        "rounded weights, bfloat16": (fast, "rounded"),
        "int8": (sets["int8"][train], "int8"),
        "int8, tested in float32": (sets["int8"][train], "float32"),
    }
    order = np.random.default_rng(seed).permutation(len(train))
    for number in NUMBERS:
        if number >= len(train):
            continue
        known = order[:number]
        slope, offset = line(fast[known], exact[known])
        for name, vectors in (
            ("as it is", fast),
            ("slope and offset", fast * slope + offset),
            ("mapped", mapped(fast, known, exact, 1.0)),
            ("mapped by stage", by_stage(fast, known, exact, blocks)),
        ):
            both = np.array(vectors, dtype=np.float32)
            both[known] = exact[known]
            found[f"{number} float32, the rest {name}"] = (both, "float32")
    return found


def evaluate(sets: Sets, seeds: int, stages: Sequence[int]) -> Mapping[str, tuple[float, float]]:
    """Name of a way -> accuracy and log loss, the mean over the splits."""
    labels = sets["labels"]
    blocks = (*stages, sets["float32"].shape[1] - sum(stages))
    scores: dict[str, list[tuple[float, float]]] = {}
    for seed in range(seeds):
        train, test = train_test_split(np.arange(len(labels)), test_size=0.25, stratify=labels, random_state=seed)
        for name, (vectors, tested) in ways(sets, train, seed, blocks).items():
            probe = fit_probe(
                vectors,
                labels[train],
                groups=np.arange(len(train)),
                class_count=int(labels.max()) + 1,
                seed=seed,
                stages=stages,
            )
            logits = sets[tested][test].astype(np.float64) @ probe.weight.T + probe.bias
            logits -= logits.max(axis=1, keepdims=True)
            chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            right = float((chances.argmax(axis=1) == labels[test]).mean())
            loss = -float(np.log(chances[np.arange(len(test)), labels[test]]).mean())
            scores.setdefault(name, []).append((right, loss))
    return {name: tuple(np.mean(found, axis=0)) for name, found in scores.items()}


def milliseconds(runs: Mapping[str, Run], images: np.ndarray, rounds: int) -> Mapping[str, float]:
    """Processor time of one picture in batches of 2, 4 and 8, the least of `rounds` in turn."""
    least: dict[str, float] = {}
    for _ in range(rounds):
        for name, run in runs.items():
            for batch in (2, 4, 8):
                started = time.process_time()
                for start in range(0, len(images), batch):
                    run(images[start : start + batch])
                seconds = (time.process_time() - started) / len(images)
                least[f"{name}, {batch}"] = min(least.get(f"{name}, {batch}", np.inf), seconds)
    return {name: round(1000 * seconds, 2) for name, seconds in least.items()}


def some(source: str, preprocessing: Preprocessing, count: int) -> np.ndarray:
    """About `count` pictures of a set, evenly taken, uint8 [n, S, S, 3]."""
    paths, _ = pictures(source)
    return np.stack([load(path.read_bytes(), preprocessing) for path in paths[:: max(1, len(paths) // count)]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sources", nargs="+", help="folders of class folders, or solar")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--network", type=Path, help="another ONNX file with the same input and output")
    parser.add_argument("--keep", type=Path, default=Path("/tmp/engines"), help="where embeddings are kept")
    parser.add_argument("--time", action="store_true", help="only the milliseconds of the first set's pictures")
    arguments = parser.parse_args()
    arguments.keep.mkdir(parents=True, exist_ok=True)
    backbone = prepare_backbone(arguments.backbone, cache=cache_folder(), weights=None).wait()
    images = some(arguments.sources[0], backbone.preprocessing, CALIBRATING)
    runs = engines(arguments.network or backbone.network, arguments.keep, backbone.preprocessing.size, images)
    if arguments.time:
        print(json.dumps(milliseconds(runs, images[:32], rounds=12)))
        return
    for source in arguments.sources:
        sets = embed(source, runs, backbone.preprocessing, arguments.keep)
        scores = evaluate(sets, arguments.seeds, backbone.stages)
        right, loss = scores["float32"]
        for name, (accuracy, own) in scores.items():
            record = {"set": Path(source).name, "pictures": len(sets["labels"]), "fitted_on": name}
            record |= {"accuracy": round(100 * accuracy, 2), "log_loss": round(own, 4)}
            record |= {"points": round(100 * (accuracy - right), 2), "loss_percent": round(100 * (own / loss - 1), 2)}
            print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
