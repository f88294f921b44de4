"""Train a network, epoch by epoch. In: network, batches, parts. Out: Fitted, the best weights in the network. Next: curves.py.

A training is a function of its inputs and seed: killed at any moment and begun again with the same arguments and
checkpoints, it ends in bit-identical weights on the CPU (with as many threads).
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from tellapart.errors import TrainingError
from tellapart.training.average import WeightAverage
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.devices import Devices, training_threads
from tellapart.training.progress import Batches, Epoch, Fitted, Pace, Progress, Stopped, TrainingBatch
from tellapart.training.saving import Saver
from tellapart.training.schedule import Schedule
from tellapart.training.state import Parts, Position
from tellapart.training.update import Loss, Mix, Sums, Updater

Validate = Callable[[nn.Module], tuple[float, float]]


def fit(
    network: nn.Module,
    *,
    batches: Batches,
    validate: Validate,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    loss: Loss,
    epochs: int,
    seed: int,
    forward: Callable[[Tensor], Tensor] | None = None,
    chunk: int | None = None,
    clip: float | None = None,
    mix: Mix | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    average_decay: float | None = None,
    patience: int | None = None,
    devices: Devices | None = None,
    checkpoints: Checkpoints | None = None,
    save_seconds: float = 30.0,
    save_steps: int | None = None,
    deadline: float | None = None,
    now: Callable[[], float] = time.monotonic,
    on_start: Callable[[int], None] | None = None,
    on_epoch: Callable[[Epoch, float], None] | None = None,
    on_step: Callable[[Progress], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> Fitted:
    """Train `network` and leave the weights of the epoch with the least validation loss in it, in evaluation mode.

    One batch is one update; `chunk` pictures of it at a time pass through the network (None: all), so to accumulate
    n batches of b give batches of n x b and `chunk` b. `forward` maps images to logits (None: the network itself;
    `functools.partial(network, start=2)` cuts it). `mix(images, targets, seed)` gives mixed images and soft targets.
    `validate(network)` gives loss and accuracy; with `average_decay` it sees, and the best weights are, the average.
    `patience`: epochs in a row without a lesser validation loss before it stops. `deadline`: a time of `now`.
    With `checkpoints` it goes on from the newest and saves after each epoch and every `save_seconds` (longer where
    saving takes over 5 % of that) or `save_steps`. Under several processes only number 0 validates, writes, reports.
    `on_start` is told how many updates earlier processes have done, `on_epoch` of the epoch and the seconds left.
    Raises: TrainingError, in every process after the same update, when a loss is not finite, memory does not suffice
    for one picture, batch norm gets a single one, or the checkpoints are another training's; StorageError when a
    checkpoint cannot be written: call again to go on from the one before.
    """
    devices = devices or Devices()
    gpus = [devices.device] if devices.device.type == "cuda" else []
    with training_threads(devices.threads), torch.random.fork_rng(gpus):
        devices.prepare(network)
        devices.share_network(network)
        if isinstance(loss, nn.Module):
            loss.to(devices.device)
        messages: list[str] = []
        updater = Updater(
            network=network,
            forward=_compiled(forward or network, devices),
            loss=loss,
            optimizer=optimizer,
            devices=devices,
            seed=seed,
            chunk=chunk,
            clip=clip,
            mix=mix,
            l1=l1,
            l2=l2,
            report=_reporter(messages, on_message if devices.main else None),
        )
        average = None if average_decay is None else WeightAverage(network, decay=average_decay)
        parts = Parts(network=network, optimizer=optimizer, schedule=schedule, scaler=updater.scaler, average=average)
        training = _Training(
            parts=parts,
            updater=updater,
            batches=batches,
            validate=validate,
            epochs=epochs,
            patience=patience,
            devices=devices,
            pace=Pace(steps=batches.steps, epochs=epochs, deadline=deadline, now=now),
            saver=Saver(checkpoints if devices.main else None, seconds=save_seconds, steps=save_steps, now=now),
            on_epoch=on_epoch if devices.main else None,
            on_step=on_step if devices.main else None,
        )
        training.resume(checkpoints)
        if on_start is not None and devices.main:
            on_start(training.position.epoch * batches.steps + training.position.step)
        return training.run(messages)


@dataclass(slots=True, kw_only=True, eq=False)
class _Training:
    """A training under way. What must survive a kill is in `parts`, `position` and the updater's chunk."""

    parts: Parts
    updater: Updater
    batches: Batches
    validate: Validate
    epochs: int
    patience: int | None
    devices: Devices
    pace: Pace
    saver: Saver
    on_epoch: Callable[[Epoch, float], None] | None
    on_step: Callable[[Progress], None] | None
    position: Position = field(default_factory=Position)
    best: dict[str, Tensor] | None = None

    def resume(self, checkpoints: Checkpoints | None) -> None:
        """Go on from the newest checkpoint, if there is one; every process reads it."""
        failure: TrainingError | None = None
        try:
            self._restore(checkpoints)
        except TrainingError as error:
            failure = error
        here = (float(self.position.epoch), float(self.position.step))
        troubled = self.devices.count(self.devices.agreed(*here) != here or failure is not None)  # all stop, or none
        if failure is not None:
            raise failure
        if troubled:
            raise TrainingError(
                f"{troubled} of {self.devices.world} processes cannot go on from the checkpoints that process 0 finds; all "
                "must read the same ones. Put the run into a folder that every machine shares."
            )

    def _restore(self, checkpoints: Checkpoints | None) -> None:
        loaded = checkpoints.load() if checkpoints else None
        for message in checkpoints.messages if checkpoints else []:
            self.updater.report(message)
        if loaded:
            self.parts.restore(loaded.tensors, loaded.state)
            self.position = Position.restored(loaded.state["position"])
            self.updater.chunk = loaded.state["chunk"]
            self.best = dict(loaded.best) if loaded.best else None
            self._compare(loaded.state["machine"])

    def _compare(self, before: str) -> None:
        if before != (now := self.devices.description):
            self.updater.report(
                f"begun with {before}, resumed with {now}: the result is as good, but not the same to the last bit."
            )

    def run(self, messages: list[str]) -> Fitted:
        """All epochs that are left, then the best weights."""
        stopped: Stopped = "budget"
        while not self.position.ended:
            if self.devices.agreed(float(self.pace.out_of_time())) == (1.0,) or not self._train_epoch():
                break
            self._end_epoch()
        else:
            stopped = "early" if self.position.ended == "early" else "finished"
        if self.best is not None:
            self.parts.network.load_state_dict(self.best)
        self.parts.network.eval()
        return Fitted(
            history=tuple(self.position.history),
            best_epoch=self.position.best_epoch,
            stopped=stopped,
            chunk=self.updater.chunk,
            messages=tuple(messages),
        )

    def _train_epoch(self) -> bool:
        """Run the rest of the epoch; False when the deadline stops it."""
        here = self.position
        self.pace.begin(here.step, here.seconds)
        self.parts.network.train()
        unread: deque[Sums] = deque()
        # On a GPU the numbers of an update are read after the next one is queued, so that it never idles for them.
        lag = 0 if self.devices.device.type == "cpu" else 1
        with contextlib.ExitStack() as stack:
            batches = self.batches.epoch(here.epoch, here.step)
            if isinstance(batches, Generator):
                stack.callback(batches.close)  # stops its threads, whatever ends the epoch
            for batch in batches:
                unread.append(self._update(batch))
                stop = self._take(unread, lag)
                if stop or self.saver.is_time(here.step):
                    stop = self._take(unread, 0) or stop
                    self._save()
                if stop:
                    return False
        self._take(unread, 0)
        return True

    def _update(self, batch: TrainingBatch) -> Sums:
        here = self.position
        update = here.epoch * self.batches.steps + here.step
        self.parts.schedule.before_update(update)
        sums = self.updater.run(
            batch.images, batch.targets, epoch=here.epoch, step=here.step, vote=self.pace.out_of_time
        )
        here.step += 1
        if self.parts.average is not None:
            self.parts.average.update(update + 1)
        return sums

    def _take(self, unread: deque[Sums], lag: int) -> bool:
        """Add up what the updates saw but for the last `lag` of them; True when a process votes to stop."""
        here, stop = self.position, False
        while len(unread) > lag:
            sums = unread.popleft()
            loss, right, pictures, voted = sums.read()
            if not math.isfinite(loss):
                raise self._diverged("training", loss, f"epoch {sums.epoch + 1}, step {sums.step + 1}")
            here.loss, here.right, here.pictures = here.loss + loss, here.right + right, here.pictures + pictures
            stop = stop or voted
            if self.on_step is not None:
                self.on_step(
                    Progress(
                        epoch=here.epoch + 1,
                        epochs=self.epochs,
                        step=sums.step + 1,
                        steps=self.batches.steps,
                        train_loss=here.loss / here.pictures,
                        learning_rate=self.parts.schedule.learning_rate,
                        seconds_left=self.pace.seconds_left(here.epoch, sums.step + 1),
                    )
                )
        return stop

    def _end_epoch(self) -> None:
        """Validate, keep what is best, decide whether to go on, save."""
        here, trained = self.position, self.pace.elapsed()
        loss, accuracy = self._validate()
        epoch = Epoch(
            number=here.epoch + 1,
            train_loss=here.loss / here.pictures,
            train_accuracy=here.right / here.pictures,
            validation_loss=loss,
            validation_accuracy=accuracy,
            learning_rate=self.parts.schedule.learning_rate,
            seconds=self.pace.elapsed(),
            pictures_per_second=here.pictures / max(trained, 1e-9),
        )
        self.pace.validated(epoch.seconds - trained)
        here.history.append(epoch)
        if here.best_epoch == epoch.number:
            judged = self.parts.judged.state_dict()
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in judged.items()}
            self.saver.save_best(self.best, epoch=epoch.number)
        self.parts.schedule.after_epoch(epoch.number * self.batches.steps, loss)
        if epoch.number >= self.epochs:
            here.ended = "finished"
        elif self.patience is not None and epoch.number - here.best_epoch >= self.patience:
            here.ended = "early"
        here.begin_epoch(epoch.number)
        if self.on_epoch is not None:
            self.on_epoch(epoch, 0.0 if here.ended else self.pace.seconds_after(epoch))
        self._save()

    def _validate(self) -> tuple[float, float]:
        """Loss and accuracy, as process 0 finds them, so that all processes decide alike."""
        loss, accuracy, failure = 0.0, 0.0, None
        if self.devices.main:
            try:
                with torch.no_grad():
                    loss, accuracy = self.validate(self.parts.judged.eval())
            except TrainingError as error:
                failure = error
        loss, accuracy, failed = self.devices.agreed(loss, accuracy, float(failure is not None))
        if failed:
            raise failure or TrainingError(
                f"after epoch {self.position.epoch + 1}: process 0 could not validate; all stop with it. Mend what it says."
            )
        if not math.isfinite(loss):
            raise self._diverged("validation", loss, f"after epoch {self.position.epoch + 1}")
        return loss, accuracy

    def _diverged(self, which: str, loss: float, when: str) -> TrainingError:
        return TrainingError(
            f"{when}: the {which} loss is {loss}; it must stay finite. Lower the learning rate (try a tenth), warm up "
            f"for longer, or clip the gradient at 1."
        )

    def _save(self) -> None:
        here = self.position
        # begin_epoch has cleared the clock where an epoch has just ended.
        here.seconds = self.pace.elapsed() if here.step else 0.0
        tensors, state = self.parts.gather()
        state |= {"position": here.state(), "chunk": self.updater.chunk, "machine": self.devices.description}
        self.saver.save(tensors, state, epoch=here.epoch, step=here.step, best_epoch=here.best_epoch)


def _compiled(forward: Callable[[Tensor], Tensor], devices: Devices) -> Callable[[Tensor], Tensor]:
    if not devices.compiled:
        return forward
    compiled: Callable[[Tensor], Tensor] = torch.compile(lambda images: forward(images))
    return compiled


def _reporter(messages: list[str], on_message: Callable[[str], None] | None) -> Callable[[str], None]:
    def report(message: str) -> None:
        messages.append(message)
        if on_message is not None:
            on_message(message)

    return report
