"""How long a picture takes here. In: a network, its learner, an augmentation. Out: Speed. Next: planning.py."""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.augment import Augment
from tellapart.errors import TrainingError
from tellapart.features.shrink import training_square
from tellapart.models.symmetry import VIEWS, TestTimeAugmentation
from tellapart.models.trainable import Trainable
from tellapart.preprocessing import Preprocessing
from tellapart.runtime import BATCH, Session, cores
from tellapart.training.devices import Devices, default_workers, training_threads
from tellapart.training.learner import Batch, Learner
from tellapart.training.memory import keep_freed_memory
from tellapart.training.planning import Costs
from tellapart.training.update import within_memory

_AUGMENTED = 32  # pictures that are varied to see how long that takes
_MOST = 128  # pictures in a step that is timed
_TIMES = 3  # of which the quickest counts: other work on the machine only ever adds
_DECODING = 0.003  # seconds, of an everyday picture
_FEWEST = 2  # pictures in a step: batch norm needs two
_SHARE = 0.2  # of the time left, for finding out how it is best spent


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Seconds a picture."""

    costs: Costs
    deployed: float  # the finished network, decoding included, on all cores


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """The training of which a step is timed, on made pictures."""

    network: Trainable
    learner: Learner
    targets: NDArray[Any]  # [N, ...], as the learner takes them, of at least one picture; a step repeats them as needed
    start: int  # the network's stage that a step's input goes into; 0: pictures
    shape: Sequence[int]  # of one input: [C, H, W], or [S, S, 3]


def measure(
    trial: Trial,
    *,
    lower: Path | None,
    augment: Augment,
    devices: Devices,
    batch_size: int,
    preprocessing: Preprocessing,
    workers: int | None = None,
    test_time_augmentation: TestTimeAugmentation = "none",
    left: float | None = None,
    reading: float | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> Speed:
    """Time one batch of each kind on made pictures; the network is left as it was.

    `workers`: the processes that vary pictures (None: as many as by default). `left`: the seconds that the run has; a fifth
    of them goes into fewer pictures where a whole batch would take longer. `reading`: the seconds that an item takes to be
    read (None: those of a picture). `now` is a clock in seconds.
    Raises: TrainingError when memory does not suffice.
    """
    keep_freed_memory()
    side = training_square(preprocessing).size
    square = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    augment(square, (0, 0))  # the first call of all imports and fills tables
    varied = _seconds(lambda: [augment(square, (0, number)) for number in range(_AUGMENTED)], now) / _AUGMENTED
    view = 0.0
    if lower is not None:
        view = varied / cores() + _view_seconds(lower, preprocessing.size, now)
    patience = None if left is None else _SHARE * max(0.0, left)
    train, validate = _step_seconds(trial, devices, batch_size, patience, now)
    if lower is None:  # pictures are varied anew in each epoch
        train = _with_varying(train, varied, devices, workers)
    deployed = (_DECODING if reading is None else reading) / cores() + len(VIEWS[test_time_augmentation]) * (
        view + validate
    )
    return Speed(costs=Costs(view=view, train=train, validate=validate), deployed=deployed)


def _with_varying(train: float, varied: float, devices: Devices, workers: int | None) -> float:
    """Seconds a picture of training, with the varying of it beside: on a GPU the slower of the two is waited for."""
    if devices.device.type == "cpu":
        return train + varied / cores()  # both take their turn on the same cores
    if workers is None:
        workers = default_workers(devices)
    return max(train, varied / max(1, workers))


def _view_seconds(lower: Path, size: int, now: Callable[[], float]) -> float:
    session = Session(lower, source=f"the frozen stages in {lower}")
    images = np.zeros((BATCH, size, size, 3), dtype=np.uint8)

    def run() -> None:
        with ThreadPoolExecutor(cores()) as pool:
            list(pool.map(lambda _: session.run(images, ["activations"]), range(cores())))

    run()
    return _seconds(run, now) / (BATCH * cores())


def _step_seconds(
    trial: Trial,
    devices: Devices,
    batch_size: int,
    patience: float | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Seconds a picture of a training step and of a look without gradients, with as many pictures as memory allows.

    With `patience`, in so many seconds or with the fewest pictures. Raises: TrainingError when memory does not suffice for them.
    """
    count = max(_FEWEST, min(batch_size, _MOST))
    with training_threads(devices.threads):
        if patience is not None and count > _FEWEST:
            once = functools.partial(_time_step, trial, devices, _FEWEST, now, times=1)
            if (found := within_memory(once, devices.device)) is not None:
                count = max(_FEWEST, min(count, int(patience / ((_TIMES + 1) * sum(found)))))
        while count >= _FEWEST:
            found = within_memory(functools.partial(_time_step, trial, devices, count, now), devices.device)
            if found is not None:
                return found
            count //= 2
    raise TrainingError(
        f"memory does not suffice to train on {_FEWEST} pictures at a time; there must be room for {_FEWEST}. "
        "Choose smaller pictures or a smaller network, or unfreeze fewer stages."
    )


def _time_step(
    trial: Trial,
    devices: Devices,
    count: int,
    now: Callable[[], float],
    *,
    times: int = _TIMES,
) -> tuple[float, float]:
    twin = copy.deepcopy(trial.network)  # batch norm's statistics change in a step
    devices.prepare(twin)
    made = _made(trial, count)
    batch, images = trial.learner.prepare(made, 0), devices.to_device(made.inputs)

    def train() -> None:
        loss = trial.learner.losses(twin, batch).items.mean()
        loss.backward()  # type: ignore[no-untyped-call]
        _settle(devices)

    def look() -> None:
        with torch.inference_mode(), devices.autocast():
            twin(images, start=trial.start)
        _settle(devices)

    twin.train()
    train()
    trained = min(_seconds(train, now) for _ in range(times))
    twin.eval()
    look()
    return trained / count, min(_seconds(look, now) for _ in range(times)) / count


def _made(trial: Trial, count: int) -> Batch:
    """Black pictures, or activations of 0, with the first targets."""
    rows = np.resize(np.arange(len(trial.targets)), count)
    return Batch(
        inputs=torch.zeros((count, *trial.shape), dtype=torch.uint8 if trial.start == 0 else torch.float16),
        targets=torch.from_numpy(trial.targets[rows]),
        rows=torch.from_numpy(rows),
    )


def _settle(devices: Devices) -> None:
    """Wait until the device has done what it was given; the CPU does it at once."""
    if devices.device.type == "cuda":
        torch.cuda.synchronize(devices.device)
    elif devices.device.type == "mps":
        torch.mps.synchronize()


def _seconds(work: Callable[[], object], now: Callable[[], float]) -> float:
    started = now()
    work()
    return now() - started
