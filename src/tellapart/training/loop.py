"""Train a network, epoch by epoch. In: Trainee, TrainingLimits. Out: Fitted, the best weights in the network. Next: curves.py.

A training is a function of its inputs and seed: killed at any moment and begun again with the same arguments and
checkpoints, it ends in bit-identical weights on the CPU (with as many threads).
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from tellapart.errors import TrainingError
from tellapart.training.average import WeightAverage
from tellapart.training.devices import Devices, training_threads
from tellapart.training.learner import Batch, Judged
from tellapart.training.progress import Epoch, Fitted, Pace, Progress
from tellapart.training.resuming import resume
from tellapart.training.saving import Saver
from tellapart.training.state import Parts, Position
from tellapart.training.terms import Listeners, Saving, Trainee, TrainingLimits
from tellapart.training.update import Sums, Updater


def fit(
    trainee: Trainee,
    limits: TrainingLimits,
    *,
    devices: Devices | None = None,
    listeners: Listeners | None = None,
    saving: Saving | None = None,
) -> Fitted:
    """Train `trainee.network` and leave the weights of the epoch that ranks highest in it, in evaluation mode.

    Under several processes each calls it alike, with its own part of the batches; only number 0 judges, writes, reports.
    Without `saving` nothing is kept, and nothing is resumed.
    Raises: TrainingError, in every process after the same update, when a loss is not finite, memory does not suffice
    for one item, batch norm gets a single one, the learner cannot take the data, or the checkpoints are another
    training's; StorageError when a checkpoint cannot be written: call again to go on from the one before. ValueError
    where the learner does not keep to its protocol.
    """
    devices, listeners = devices or Devices(), listeners or Listeners()
    gpus = [devices.device] if devices.device.type == "cuda" else []
    with training_threads(devices.threads), torch.random.fork_rng(gpus):
        devices.prepare(trainee.network)
        devices.share_network(trainee.network)
        training = _begin(trainee, limits, devices, listeners, saving or Saving())
        if listeners.on_start is not None and devices.main:
            listeners.on_start(training.position.epoch * trainee.batches.steps + training.position.step)
        return training.run()


def _begin(
    trainee: Trainee, limits: TrainingLimits, devices: Devices, listeners: Listeners, saving: Saving
) -> _Training:
    """The training as it starts, or as the newest checkpoint left it."""
    messages = _Messages(listener=listeners.on_message if devices.main else None)
    updater = Updater(
        network=trainee.network,
        learner=trainee.learner,
        optimizer=trainee.optimizer,
        devices=devices,
        seed=trainee.seed,
        chunk=trainee.chunk,
        clip=trainee.clip,
        l1=trainee.l1,
        l2=trainee.l2,
        report=messages,
    )
    decay = trainee.average_decay
    parts = Parts(
        network=trainee.network,
        optimizer=trainee.optimizer,
        schedule=trainee.schedule,
        scaler=updater.scaler,
        average=None if decay is None else WeightAverage(trainee.network, decay=decay),
    )
    checkpoints, now = saving.checkpoints, limits.now
    training = _Training(
        trainee=trainee,
        limits=limits,
        listeners=listeners if devices.main else Listeners(),
        parts=parts,
        updater=updater,
        messages=messages,
        pace=Pace(steps=trainee.batches.steps, epochs=limits.epochs, deadline=limits.deadline, now=now),
        saver=Saver(checkpoints if devices.main else None, seconds=saving.seconds, steps=saving.steps, now=now),
    )
    training.position, training.best = resume(parts, updater, checkpoints)
    return training


@dataclass(slots=True, kw_only=True, eq=False)
class _Messages:
    """Keeps what a person should know, and tells it at once where somebody listens."""

    listener: Callable[[str], None] | None
    kept: list[str] = field(default_factory=list)

    def __call__(self, message: str) -> None:
        self.kept.append(message)
        if self.listener is not None:
            self.listener(message)


@dataclass(slots=True, kw_only=True, eq=False)
class _Training:
    """A training under way. What must survive a kill is in `parts`, `position` and the updater's chunk."""

    trainee: Trainee
    limits: TrainingLimits
    listeners: Listeners
    parts: Parts
    updater: Updater
    messages: _Messages
    pace: Pace
    saver: Saver
    position: Position = field(default_factory=Position)
    best: dict[str, Tensor] | None = None

    def run(self) -> Fitted:
        """All epochs that are left, then the best weights."""
        here, devices = self.position, self.updater.devices
        while not here.ended:
            if devices.agreed(float(self.pace.out_of_time())) == (1.0,):
                if here.history:
                    self._end_by_deadline()
                break
            if not self._train_epoch():
                break
            self._end_epoch()
        if self.best is not None:
            self.parts.network.load_state_dict(self.best)
        self.parts.network.eval()
        return Fitted(
            history=tuple(here.history),
            best_epoch=here.best_epoch,
            stopped=here.ended or "budget",
            chunk=self.updater.chunk,
            messages=tuple(self.messages.kept),
        )

    def _train_epoch(self) -> bool:
        """Run the rest of the epoch; False when the deadline stops it."""
        here = self.position
        self.pace.begin(here.step, here.seconds)
        self.parts.network.train()
        unread: deque[Sums] = deque()
        # On a GPU the numbers of an update are read after the next one is queued, so that it never idles for them.
        lag = 0 if self.updater.devices.device.type == "cpu" else 1
        with contextlib.ExitStack() as stack:
            batches = self.trainee.batches.epoch(here.epoch, here.step)
            if isinstance(batches, Generator):
                stack.callback(batches.close)  # stops its threads, whatever ends the epoch
            for batch in batches:
                unread.append(self._update(batch))
                stop = self._take(unread, lag)
                if stop or self.saver.is_time(here.step):
                    stop = self._take(unread, 0) or stop
                    if stop:
                        self._end_by_deadline()
                        return False
                    self._save()
        self._take(unread, 0)
        return True

    def _update(self, batch: Batch) -> Sums:
        here = self.position
        update = here.epoch * self.trainee.batches.steps + here.step
        self.parts.schedule.before_update(update)
        sums = self.updater.run(batch, epoch=here.epoch, step=here.step, vote=self.pace.out_of_time)
        here.step += 1
        if self.parts.average is not None:
            self.parts.average.update(update + 1)
        return sums

    def _take(self, unread: deque[Sums], lag: int) -> bool:
        """Add up what the updates saw but for the last `lag` of them; True when a process votes to stop."""
        stop = False
        while len(unread) > lag:
            sums = unread.popleft()
            seen = sums.read()
            if not math.isfinite(seen.loss):
                raise _diverged("training", seen.loss, f"epoch {sums.epoch + 1}, step {sums.step + 1}")
            self.position.add(seen)
            stop = stop or seen.stop
            self._tell_step(sums.step + 1)
        return stop

    def _tell_step(self, step: int) -> None:
        here = self.position
        if self.listeners.on_step is not None:
            self.listeners.on_step(
                Progress(
                    epoch=here.epoch + 1,
                    epochs=self.limits.epochs,
                    step=step,
                    steps=self.trainee.batches.steps,
                    train_loss=here.loss / here.items,
                    learning_rate=self.parts.schedule.learning_rate,
                    seconds_left=self.pace.seconds_left(here.epoch, step),
                )
            )

    def _end_epoch(self) -> None:
        """Judge, keep what is best, decide whether to go on, save."""
        here, trained = self.position, self.pace.elapsed()
        epoch = self._epoch(self._judge(), trained)
        self.pace.validated(epoch.seconds - trained)
        here.history.append(epoch)
        if here.best_epoch == epoch.number:
            judged = self.parts.judged.state_dict()
            self.best = {name: tensor.detach().cpu().clone() for name, tensor in judged.items()}
            self.saver.save_best(self.best, epoch=epoch.number)
        self.parts.schedule.after_epoch(epoch.number * self.trainee.batches.steps, epoch.validation_loss)
        patience = self.limits.patience
        if epoch.number >= self.limits.epochs:
            here.ended = "finished"
        elif patience is not None and here.without_gain(self.limits.min_delta) >= patience:
            here.ended = "early"
        here.begin_epoch(epoch.number)
        if self.listeners.on_epoch is not None:
            self.listeners.on_epoch(epoch, 0.0 if here.ended else self.pace.seconds_after(epoch))
        self._save()

    def _end_by_deadline(self) -> None:
        """Save, with the word that it is over: what is begun again after it ends in the same weights.

        Before the end of the first epoch there is nothing to end with, and a later process goes on.
        """
        if self.position.history:
            self.position.ended = "budget"
        self._save()

    def _epoch(self, judged: Judged, trained: float) -> Epoch:
        """How the epoch went that took `trained` seconds before it was judged."""
        here = self.position
        return Epoch(
            number=here.epoch + 1,
            train_loss=here.loss / here.items,
            validation_loss=judged.loss,
            train={name: total / here.items for name, total in here.parts.items()},
            validation=dict(judged.figures),
            rank=judged.rank,
            learning_rate=self.parts.schedule.learning_rate,
            seconds=self.pace.elapsed(),
            pictures_per_second=here.items / max(trained, 1e-9),
        )

    def _judge(self) -> Judged:
        """What process 0 finds; loss and rank are everybody's, so that all processes decide alike."""
        devices, when = self.updater.devices, f"after epoch {self.position.epoch + 1}"
        judged, failure = Judged(loss=0.0, figures={}, rank=0.0), None
        if devices.main:
            try:
                with torch.no_grad():
                    judged = _watched(self.trainee.learner.judge(self.parts.judged.eval()), self.limits.monitor)
            except TrainingError as error:
                failure = error
        loss, rank, failed = devices.agreed(judged.loss, judged.rank, float(failure is not None))
        if failed:
            raise failure or TrainingError(
                f"{when}: process 0 could not validate; all stop with it. Mend what it says."
            )
        if not math.isfinite(loss):
            raise _diverged("validation", loss, when)
        if math.isnan(rank):
            raise ValueError(f"{when}: the learner's rank is {rank}; epochs cannot be compared by it")
        return Judged(loss=loss, figures=judged.figures, rank=rank)

    def _save(self) -> None:
        here, updater = self.position, self.updater
        # begin_epoch has cleared the clock where an epoch has just ended.
        here.seconds = self.pace.elapsed() if here.step else 0.0
        tensors, state = self.parts.gather()
        state |= {"position": here.state(), "chunk": updater.chunk, "machine": updater.devices.description}
        self.saver.save(tensors, state, epoch=here.epoch, step=here.step, best_epoch=here.best_epoch)


def _watched(judged: Judged, monitor: str | None) -> Judged:
    """Ranked by what is watched. Raises: TrainingError for a figure that the learner does not tell."""
    if monitor is None:
        return judged
    if monitor != "loss" and monitor not in judged.figures:
        known = ", ".join(["loss", *judged.figures])
        raise TrainingError(
            f"loop.monitor is {monitor}; of the validation pictures this task tells: {known}. Choose one of these."
        )
    return replace(judged, rank=-judged.loss if monitor == "loss" else judged.figures[monitor])


def _diverged(which: str, loss: float, when: str) -> TrainingError:
    return TrainingError(
        f"{when}: the {which} loss is {loss}; it must stay finite. Lower the learning rate (try a tenth), warm up "
        f"for longer, or clip the gradient at 1."
    )
