"""A tiny training, for tests and their child processes. In: options. Out: Fitted, files. Next: test_loop.py.

As a script it trains in processes of its own: `serve` forks one after another and kills them, `several` is for torchrun.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tellapart.data.batch import Batch
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.devices import Devices, find_devices, leave
from tellapart.training.learner import Judged, Losses
from tellapart.training.loop import fit
from tellapart.training.loss import PictureLoss
from tellapart.training.optimizer import build_optimizer
from tellapart.training.progress import Fitted
from tellapart.training.schedule import Schedule
from tellapart.training.terms import Listeners, Saving, Trainee, TrainingLimits

SIDE, CLASSES, STEPS = 6, 3, 12
ONE_THREAD = Devices(threads=1)


def pictures(count: int, *key: int) -> Batch:
    """Noise whose brightest channel is its class, uint8 [B, S, S, 3]; a function of `key`."""
    generator = torch.Generator().manual_seed(hash(key) % 2**31)
    targets = torch.randint(0, CLASSES, (count,), generator=generator)
    images = torch.randint(0, 200, (count, SIDE, SIDE, 3), generator=generator)
    images[torch.arange(count), :, :, targets] += 20
    return Batch(inputs=images.to(torch.uint8), targets=targets, rows=torch.arange(count))


@dataclass
class Batches:
    """Batch (epoch, step) is always the same; with several processes each gets its slice."""

    steps: int = STEPS
    size: int = 8
    rank: int = 0
    world: int = 1
    change: Callable[[int, int, Batch], Batch] = lambda epoch, step, batch: batch
    seed: int = 0

    def epoch(self, number: int, start_step: int = 0) -> Iterator[Batch]:
        for step in range(start_step, self.steps):
            whole = self.change(number, step, pictures(self.size, self.seed, number, step))
            part = slice(self.rank * self.size // self.world, (self.rank + 1) * self.size // self.world)
            yield Batch(inputs=whole.inputs[part], targets=whole.targets[part], rows=whole.rows[part])


class Picture(nn.Module):
    """uint8 [B, S, S, 3] -> float32 [B, 3, S, S]."""

    def forward(self, images: Tensor) -> Tensor:
        return images.permute(0, 3, 1, 2).float() / 255 - 0.5 if images.dtype == torch.uint8 else images


def build(*, batch_norm: bool = True, dropout: float = 0.2, seed: int = 0) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            Picture(),
            nn.Conv2d(3, 6, 3, bias=not batch_norm),
            nn.BatchNorm2d(6) if batch_norm else nn.Identity(),
            nn.ReLU(),
            nn.Conv2d(6, 4, 3, padding=1),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(4 * (SIDE - 2) ** 2, CLASSES),
        )


def validate(network: nn.Module) -> tuple[float, float]:
    batch = pictures(64, 99)
    logits = network(batch.inputs)
    return PictureLoss()(logits, batch.targets).mean().item(), (logits.argmax(1) == batch.targets).float().mean().item()


def mix(images: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    share = torch.rand(1, generator=torch.Generator().manual_seed(seed)).item()
    floats = Picture()(images)
    hot = nn.functional.one_hot(targets, CLASSES).float()
    return floats.lerp(floats.roll(1, 0), share), hot.lerp(hot.roll(1, 0), share)


@dataclass
class Learner:
    """One class a picture, as simply as can be; what it is judged by may be told to it."""

    parts: ClassVar[tuple[str, ...]] = ("accuracy",)
    loss: PictureLoss = field(default_factory=lambda: PictureLoss(label_smoothing=0.1))
    validate: Callable[[nn.Module], tuple[float, float]] = validate  # loss and accuracy
    rank: Callable[[float, float], float] = lambda loss, accuracy: -loss
    mix: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]] | None = None
    devices: Devices = ONE_THREAD

    def prepare(self, batch: Batch, seed: int) -> Batch:
        if self.mix is None:
            return batch
        inputs, targets = self.mix(batch.inputs, batch.targets, seed)
        return replace(batch, inputs=inputs, targets=targets)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        with self.devices.autocast():
            logits = network(self.devices.to_device(batch.inputs)).float()
        classes = batch.targets.argmax(1) if batch.targets.dim() == 2 else batch.targets
        return Losses(items=self.loss(logits, batch.targets), parts={"accuracy": logits.argmax(1) == classes})

    def chunks(self, batch: Batch, count: int) -> tuple[Batch, ...]:
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        loss, accuracy = self.validate(network)
        return Judged(loss=loss, figures={"accuracy": accuracy}, rank=self.rank(loss, accuracy))


# What the kill test varies: all that a training keeps between two steps.
ADAMW: dict[str, Any] = {"optimizer": "adamw", "schedule": "cosine", "average_decay": 0.9, "mix": mix}
SGD: dict[str, Any] = {
    "optimizer": "sgd",
    "schedule": "plateau",
    "rate": 0.3,
    "clip": 0.5,
    "l1": 1e-4,
    "l2": 1e-3,
    "chunk": 3,
}


def train(
    network: nn.Module | None = None,
    *,
    batches: Any = None,
    optimizer: str = "adamw",
    schedule: str = "cosine",
    rate: float = 0.01,
    epochs: int = 4,
    folder: Path | None = None,
    fingerprint: str = "toy",
    **options: Any,
) -> tuple[nn.Module, Fitted]:
    """`fit` with small settings; the network, with the best weights, and what came of it.

    `options` are fields of Learner, Trainee, TrainingLimits and Listeners, `devices`, and Saving's `steps` as `save_steps`.
    """
    network = network or build()
    batches = batches or Batches()
    devices = options.pop("devices", ONE_THREAD)
    built = build_optimizer([list(network.named_parameters())], name=optimizer, learning_rate=rate, weight_decay=0.01)
    rates = Schedule(
        built, name=schedule, epochs=epochs, steps=batches.steps, warmup_epochs=0.5, plateau_patience=0, decay_rate=0.5
    )
    learner = options.pop("learner", None) or Learner(devices=devices, **_fields(Learner, options))
    saving = Saving(
        checkpoints=Checkpoints(folder, fingerprint=fingerprint) if folder else None,
        steps=options.pop("save_steps", None),
    )
    trainee, limits, listeners = (_fields(kind, options) for kind in (Trainee, TrainingLimits, Listeners))
    assert not options, options
    fitted = fit(
        Trainee(network=network, learner=learner, batches=batches, optimizer=built, schedule=rates, seed=5, **trainee),
        TrainingLimits(epochs=epochs, **limits),
        devices=devices,
        listeners=Listeners(**listeners),
        saving=saving,
    )
    return network, fitted


def _fields(kind: type, options: dict[str, Any]) -> dict[str, Any]:
    """What of `options` is a field of `kind`, taken out of them."""
    return {one.name: options.pop(one.name) for one in fields(kind) if one.name in options}


def digest(network: nn.Module) -> str:
    """Of all bits of the weights and statistics."""
    whole = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        whole.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()


def curve(fitted: Fitted) -> list[list[float]]:
    """Exact numbers of each epoch, without times; the figures of the validation are process 0's alone."""
    return [
        [e.train_loss, *e.train.values(), e.validation_loss, *e.validation.values(), e.learning_rate]
        for e in fitted.history
    ]


class Killed(Exception):
    """Stands in for a kill, so that a test can go on in this process; `serve` kills in earnest."""


def killed_at(moment: tuple[int, int]) -> Callable[[Any], None]:
    def on_step(progress: Any) -> None:
        if (progress.epoch, progress.step) == moment:
            raise Killed

    return on_step


def one_after_another(losses: list[float]) -> Callable[[nn.Module], tuple[float, float]]:
    """Validation losses to order; it notes the weights that it is shown."""
    left = iter(losses)

    def validate(network: nn.Module) -> tuple[float, float]:
        validate.seen.append(next(iter(network.state_dict().values())).clone())  # type: ignore[attr-defined]
        return next(left), 0.5

    validate.seen = []  # type: ignore[attr-defined]
    return validate


def _report(path: Path, network: nn.Module, fitted: Fitted) -> None:
    facts = {"digest": digest(network), "curve": curve(fitted), "best": fitted.best_epoch, "stopped": fitted.stopped}
    path.write_text(json.dumps({**facts, "messages": list(fitted.messages)}))


def _die_at_replace(number: int) -> None:
    """From now on this process is killed as it is about to put its `number`th file into place."""
    real, calls = os.replace, [0]

    def replace(source: Any, target: Any) -> None:
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        real(source, target)

    os.replace = replace


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return child


def _newest(folder: Path) -> str:
    return max((path.name for path in folder.glob("checkpoint-*")), default="")


def _await_saves(folder: Path, count: int, child: int) -> None:
    """Return after so many more checkpoints, or when the child has ended."""
    for _ in range(count):
        before = _newest(folder)
        while _newest(folder) == before and not _ended(child):
            time.sleep(0.001)


def _ended(child: int) -> bool:
    """Whether it has, without taking note of it: `_wait` still can."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve(folder: Path, kills: int, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    """Train uninterrupted, then again with `kills` kills; what both came to, and where the kills fell."""
    chance, run = random.Random(seed), folder / "run"
    folder.mkdir(parents=True)
    whole = functools.partial(train, save_steps=2, **options)
    _wait(_fork(lambda: _report(folder / "reference.json", *whole(folder=folder / "unbroken"))))
    places = []
    saves = 4 * (STEPS // 2 + 1)  # of an unbroken run
    for number in range(kills):
        if number % 3 == 2:  # in a save, between the writing and the moving
            replaces = chance.randint(1, 6)
            child = _fork(lambda count=replaces: (_die_at_replace(count), whole(folder=run)))
        else:  # at a random moment after the run has got somewhat further
            child = _fork(lambda: whole(folder=run))
            _await_saves(run, chance.randint(0, 2 * saves // kills), child)
            time.sleep(chance.uniform(0, 0.02))
            os.kill(child, signal.SIGKILL)  # a child that has ended by itself stays a zombie until it is waited for
        places.append([_newest(run), _wait(child), len(list(run.glob(".*.part")))])
    last = _fork(lambda: _report(folder / "resumed.json", *whole(folder=run)))
    return {
        "status": _wait(last),
        "places": places,
        "reference": json.loads((folder / "reference.json").read_text()),
        "resumed": json.loads((folder / "resumed.json").read_text()),
        "left": sorted(path.name for path in run.iterdir()),
    }


def several(folder: Path, deadline: int) -> None:
    """One of several processes; a `deadline` above 0 is on a clock that ticks whenever it is looked at."""
    devices, moved = find_devices(device="cpu"), []
    sys.addaudithook(lambda event, values: moved.append(str(values[1])) if event == "os.rename" else None)
    ticks = itertools.count()
    clock = {"now": lambda: float(next(ticks))} if deadline else {}
    seen: list[int] = []
    network, fitted = train(
        build(batch_norm=False, dropout=0.0, seed=devices.rank),
        folder=folder / "run",
        devices=devices,
        batches=Batches(rank=devices.rank, world=devices.world),
        optimizer="sgd",
        clip=1.0,
        rate=0.2,
        on_epoch=lambda epoch, left: seen.append(epoch.number),
        deadline=float(deadline) or None,
        **clock,
    )
    path = folder / f"process-{devices.rank}-{deadline}.json"
    _report(path, network, fitted)
    facts = json.loads(path.read_text())
    group: Any = torch.distributed.group.WORLD
    patience = group._get_backend(devices.device).options._timeout.total_seconds()
    path.write_text(json.dumps({**facts, "moved": moved, "seen": seen, "world": devices.world, "patience": patience}))
    leave(devices)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "serve":
        build_optimizer([list(build().named_parameters())], learning_rate=0.1)  # imports for 2 s, once for all forks
        kinds = {"adamw": ADAMW, "sgd": SGD}
        folder, kills, seed = Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
        outcome = {kind: serve(folder / kind, kills, seed, kinds[kind]) for kind in kinds}
        find_devices(device="cpu")
        imported = [name for name in ("accelerate", "tensorboardX") if name in sys.modules]
        print(json.dumps({**outcome, "imported": imported}))
    else:
        several(Path(sys.argv[2]), int(sys.argv[3]))
