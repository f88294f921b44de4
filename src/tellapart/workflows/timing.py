"""How long a picture takes here. In: a network, an augmentation. Out: Speed. Next: planning.py."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tellapart.data.augment import Augment
from tellapart.features.shrink import training_square
from tellapart.models.staged import StagedNetwork
from tellapart.preprocessing import Preprocessing
from tellapart.runtime import BATCH, Session, cores
from tellapart.training.devices import Devices, training_threads
from tellapart.training.memory import keep_freed_memory
from tellapart.workflows.planning import Costs

_AUGMENTED = 8  # pictures that are varied to see how long that takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Seconds a picture."""

    costs: Costs
    deployed: float  # the finished network, decoding included, on all cores


def measure(
    network: StagedNetwork, *, start: int, shape: Sequence[int], lower: Path | None, augment: Augment,
    devices: Devices, batch_size: int, preprocessing: Preprocessing,
) -> Speed:  # fmt: skip
    """Time one batch of each kind on made pictures; the network is left as it was."""
    keep_freed_memory()
    side = training_square(preprocessing).size
    square = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    varied = _seconds(lambda: [augment(square, (0, number)) for number in range(_AUGMENTED)]) / _AUGMENTED
    view = 0.0
    if lower is not None:
        view = varied / cores() + _view_seconds(lower, preprocessing.size)
    train, validate = _step_seconds(network, start, shape, devices, batch_size)
    # Pictures that are varied anew in each epoch take their turn on the same cores.
    train += 0.0 if lower is not None else varied / cores() if devices.device.type == "cpu" else 0.0
    share = len(network.stages) / max(1, len(network.stages) - start)
    return Speed(
        costs=Costs(view=view, train=train, validate=validate),
        deployed=0.003 / cores() + (view or validate * min(share, 2.0)) * 1.5,
    )


def _view_seconds(lower: Path, size: int) -> float:
    session = Session(lower, source=f"the frozen stages in {lower}")
    images = np.zeros((BATCH, size, size, 3), dtype=np.uint8)

    def run() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda _: session.run(images, ["activations"]), range(cores())))

    run()
    return _seconds(run) / (BATCH * cores())


def _step_seconds(
    network: StagedNetwork, start: int, shape: Sequence[int], devices: Devices, batch_size: int
) -> tuple[float, float]:
    """Seconds a picture of a training step and of a look without gradients."""
    twin = copy.deepcopy(network)  # batch norm's statistics change in a step
    count = max(2, min(batch_size, 32))
    kind = torch.uint8 if start == 0 else torch.float16
    with training_threads(devices.threads):
        devices.prepare(twin)
        images = devices.to_device(torch.zeros((count, *shape), dtype=kind))
        twin.train()

        def train() -> None:
            with devices.autocast():
                loss = nn.functional.cross_entropy(
                    twin(images, start=start), torch.zeros(count, dtype=torch.int64).to(images.device)
                )
            loss.backward()  # type: ignore[no-untyped-call]
            _settle(devices)

        def look() -> None:
            with torch.inference_mode(), devices.autocast():
                twin(images, start=start)
            _settle(devices)

        train()
        trained = min(_seconds(train), _seconds(train))
        twin.eval()
        look()
        return trained / count, _seconds(look) / count


def _settle(devices: Devices) -> None:
    if devices.device.type == "cuda":
        torch.cuda.synchronize()


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
