"""Whole trainings: the same again, stopped, broken, killed. In: toy.py. Out: verdicts. Next: test_loop_trouble.py."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tellapart.data.batch import Batch
from tellapart.errors import TrainingError
from tellapart.training.devices import Devices
from tellapart.training.learner import Judged, Losses


@pytest.mark.parametrize("kind", ["ADAMW", "SGD"])
def test_same_seed_same_weights_twice(toy: ModuleType, kind: str) -> None:
    first, second = (toy.train(**getattr(toy, kind)) for _ in range(2))
    assert toy.digest(first[0]) == toy.digest(second[0])
    assert toy.curve(first[1]) == toy.curve(second[1])


def test_it_learns_and_leaves_the_callers_random_state_and_threads(toy: ModuleType) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    network, fitted = toy.train(epochs=6)
    assert fitted.stopped == "finished"
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss - 0.1
    assert fitted.history[-1].validation["accuracy"] > 0.6
    assert [epoch.number for epoch in fitted.history] == [1, 2, 3, 4, 5, 6]
    assert not network.training
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("losses", "patience", "epochs_run", "best", "stopped"),
    [
        ([5, 3, 4, 4, 2, 1], 2, 4, 2, "early"),
        ([5, 3, 4, 4, 4, 4], None, 6, 2, "finished"),
        ([5, 4, 4, 3, 4, 4], 3, 6, 4, "finished"),
        ([5, 5, 5, 5, 5, 5], 1, 2, 1, "early"),
    ],
)
@pytest.mark.parametrize("decay", [None, 0.8])
def test_best_weights_are_restored_whether_or_not_it_stops_early(
    toy: ModuleType,
    losses: list[float],
    patience: int | None,
    epochs_run: int,
    best: int,
    stopped: str,
    decay: float | None,
) -> None:
    validate = toy.one_after_another(losses)
    network, fitted = toy.train(epochs=6, validate=validate, patience=patience, average_decay=decay)
    assert (len(fitted.history), fitted.best_epoch, fitted.stopped) == (epochs_run, best, stopped)
    seen: list[Tensor] = validate.seen  # type: ignore[attr-defined]
    assert torch.equal(next(iter(network.state_dict().values())), seen[best - 1])
    assert not torch.equal(seen[best - 1], seen[-1]) or best == epochs_run


def test_best_weights_and_patience_survive_a_resume(toy: ModuleType, tmp_path: Path) -> None:
    losses = [5.0, 3.0, 4.0, 4.0, 4.0]
    whole, fitted = toy.train(epochs=6, validate=toy.one_after_another(losses), patience=3)
    again = functools.partial(toy.train, epochs=6, patience=3, folder=tmp_path)
    with pytest.raises(toy.Killed):
        again(validate=toy.one_after_another(losses), on_step=toy.killed_at((4, 3)))
    resumed, fitted_again = again(validate=toy.one_after_another(losses[3:]))
    assert fitted_again.stopped == fitted.stopped == "early"
    assert fitted_again.best_epoch == fitted.best_epoch == 2
    assert toy.curve(fitted_again) == toy.curve(fitted)
    assert toy.digest(resumed) == toy.digest(whole)


def test_a_finished_training_is_loaded_not_repeated(toy: ModuleType, tmp_path: Path) -> None:
    first, fitted = toy.train(folder=tmp_path)
    steps: list[Any] = []
    second, again = toy.train(folder=tmp_path, on_step=steps.append)
    assert steps == []
    assert again.stopped == "finished"
    assert toy.digest(first) == toy.digest(second)
    assert again.history == fitted.history


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision_learns_and_resumes(toy: ModuleType, tmp_path: Path, precision: str) -> None:
    # float16 on the CPU is only for this: it runs the scaling of the loss that GPUs need.
    train = functools.partial(toy.train, clip=1.0, devices=Devices(threads=1, precision=precision))
    whole, fitted = train()
    plain, _ = toy.train(clip=1.0)
    assert toy.digest(plain) != toy.digest(whole)
    with pytest.raises(toy.Killed):
        train(folder=tmp_path, save_steps=4, on_step=toy.killed_at((2, 6)))
    resumed, _ = train(folder=tmp_path)
    assert toy.digest(resumed) == toy.digest(whole)
    assert fitted.history[-1].validation_loss < fitted.history[0].validation_loss
    assert next(resumed.parameters()).dtype == torch.float32


def _clock() -> Callable[[], float]:
    """A second goes by each time that it is looked at."""
    ticks = itertools.count()
    return lambda: float(next(ticks))


def test_a_deadline_stops_at_a_step_and_that_is_the_end(toy: ModuleType, tmp_path: Path) -> None:
    whole, _ = toy.train(epochs=3)
    steps: list[Any] = []
    network, cut = toy.train(epochs=3, folder=tmp_path, deadline=80.0, now=_clock(), on_step=steps.append)
    assert cut.stopped == "budget"
    assert 1 <= len(cut.history) < 3
    assert steps[-1].step < 12
    assert cut.best_epoch == max(epoch.number for epoch in cut.history)
    assert toy.digest(network) != toy.digest(whole)
    assert toy.validate(network)[0] == pytest.approx(min(epoch.validation_loss for epoch in cut.history))
    steps.clear()
    resumed, again = toy.train(epochs=3, folder=tmp_path, on_step=steps.append)  # killed while it was tested, say
    assert steps == []
    assert (again.stopped, again.history) == ("budget", cut.history)
    assert toy.digest(resumed) == toy.digest(network)


def test_a_deadline_that_has_passed_between_two_epochs_is_the_end_too(toy: ModuleType, tmp_path: Path) -> None:
    train = functools.partial(toy.train, epochs=3, folder=tmp_path, save_steps=5)
    with pytest.raises(toy.Killed):
        train(on_step=toy.killed_at((3, 1)))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept[-2:] == ["checkpoint-00001-0000010.safetensors", "checkpoint-00002-0000000.safetensors"]
    steps: list[Any] = []
    ended, late = train(deadline=0.0, on_step=steps.append)
    again, later = train(on_step=steps.append)
    assert steps == []
    assert (late.stopped, later.stopped, late.best_epoch) == ("budget", "budget", 2)
    assert toy.digest(ended) == toy.digest(again)


@pytest.mark.parametrize("deadline", [0.0, 9.0])
def test_a_deadline_before_the_end_of_the_first_epoch(toy: ModuleType, tmp_path: Path, deadline: float) -> None:
    _, fitted = toy.train(folder=tmp_path, deadline=deadline, now=_clock())
    assert (fitted.stopped, fitted.best_epoch, fitted.history) == ("budget", 0, ())
    assert any(tmp_path.iterdir()) == bool(deadline)  # of no step there is nothing to keep
    whole, _ = toy.train()
    resumed, again = toy.train(folder=tmp_path)  # nothing could be tested, so this goes on
    assert again.stopped == "finished"
    assert toy.digest(resumed) == toy.digest(whole)


def test_progress_tells_the_time_left(toy: ModuleType) -> None:
    steps: list[Any] = []
    epochs: list[Any] = []
    left: list[float] = []

    def on_epoch(epoch: Any, seconds_left: float) -> None:
        epochs.append(epoch)
        left.append(seconds_left)

    train = functools.partial(toy.train, on_step=steps.append, on_epoch=on_epoch, now=lambda: float(len(steps)))
    train(epochs=2)
    assert [(p.epoch, p.step) for p in steps] == [(e, s) for e in (1, 2) for s in range(1, 13)]
    assert steps[3].steps == 12
    # The clock counts finished steps, and the fourth is only being reported: 3 seconds for 4 steps, 20 to go.
    assert steps[3].seconds_left == pytest.approx(20 * 3 / 4)
    assert steps[-1].seconds_left == 0
    assert [(e.number, e.seconds) for e in epochs] == [(1, 12.0), (2, 12.0)]
    assert epochs[0].pictures_per_second == pytest.approx(8.0)
    assert steps[11].train_loss == epochs[0].train_loss
    assert steps[-1].learning_rate == epochs[-1].learning_rate
    assert left == [12.0, 0.0]
    steps.clear()
    train(epochs=3, deadline=31.0)
    assert left[2:] == [19.0, 7.0]  # 24 and 12 without the deadline
    steps.clear()
    train(epochs=9, patience=1, validate=toy.one_after_another([1.0, 2.0]))
    assert left[4:] == [96.0, 0.0]  # the early end is the end


def test_a_resumed_training_tells_first_what_was_done_already(toy: ModuleType, tmp_path: Path) -> None:
    told: list[Any] = []
    with pytest.raises(toy.Killed):
        toy.train(folder=tmp_path, save_steps=3, on_start=told.append, on_step=toy.killed_at((2, 8)))
    toy.train(folder=tmp_path, on_start=told.append, on_step=lambda p: told.append((p.epoch, p.step)))
    toy.train(folder=tmp_path, on_start=told.append)
    assert told[:3] == [0, 18, (2, 7)]
    assert told[-1] == 48


def test_one_big_batch_and_chunks_of_it_end_alike(toy: ModuleType) -> None:
    def network() -> nn.Module:
        return toy.build(batch_norm=False, dropout=0.0)

    whole, fitted = toy.train(network(), optimizer="sgd")
    chunked, again = toy.train(network(), optimizer="sgd", chunk=2)
    torch.testing.assert_close(chunked.state_dict(), whole.state_dict(), rtol=0, atol=1e-6)
    assert torch.tensor(toy.curve(fitted)).allclose(torch.tensor(toy.curve(again)), atol=1e-6)


def test_the_rank_alone_says_which_epoch_is_best(toy: ModuleType) -> None:
    validate = toy.one_after_another([5.0, 3.0, 4.0, 6.0])
    network, fitted = toy.train(validate=validate, rank=lambda loss, accuracy: loss)
    assert (fitted.best_epoch, [epoch.rank for epoch in fitted.history]) == (4, [5.0, 3.0, 4.0, 6.0])
    assert torch.equal(next(iter(network.state_dict().values())), validate.seen[3])
    _, fitted = toy.train(
        epochs=9, validate=toy.one_after_another([5.0, 3.0, 4.0]), rank=lambda loss, _: loss, patience=2
    )
    assert (fitted.best_epoch, fitted.stopped) == (1, "early")


def test_epochs_may_be_ranked_by_another_figure(toy: ModuleType) -> None:
    told = iter([(1.0, 0.5), (2.0, 0.9), (0.5, 0.7), (0.4, 0.8)])
    _, fitted = toy.train(validate=lambda network: next(told), monitor="accuracy")
    assert (fitted.best_epoch, [epoch.rank for epoch in fitted.history]) == (2, [0.5, 0.9, 0.7, 0.8])
    told = iter([(1.0, 0.5), (2.0, 0.9), (0.5, 0.7), (0.4, 0.8)])
    _, fitted = toy.train(validate=lambda network: next(told), monitor="loss", rank=lambda loss, accuracy: accuracy)
    assert fitted.best_epoch == 4
    with pytest.raises(TrainingError, match=r"loop\.monitor is F1; of the .* this task tells: loss, accuracy\. Choose"):
        toy.train(monitor="F1")


def test_a_gain_is_what_is_more_than_the_least_that_counts(toy: ModuleType) -> None:
    losses = [1.0, 0.95, 0.91, 0.5, 0.45, 0.44, 0.43]  # of 0.1: the first and the fourth
    validate = toy.one_after_another(losses)
    _, fitted = toy.train(epochs=9, validate=validate, patience=3, min_delta=0.1)
    assert (fitted.stopped, len(fitted.history), fitted.best_epoch) == ("early", 7, 7)


def test_the_plateau_is_one_of_the_validation_loss_whatever_ranks_epochs(toy: ModuleType) -> None:
    validate = toy.one_after_another([5.0, 6.0, 4.0, 3.0])
    _, fitted = toy.train(schedule="plateau", validate=validate, rank=lambda loss, accuracy: loss)
    rates = [epoch.learning_rate for epoch in fitted.history]
    assert rates == pytest.approx([0.01, 0.01, 0.005, 0.005])  # halved after the only epoch that did not fall


class Detector(nn.Module):
    """Computes its losses itself while it is trained, as detectors do: how far the brightest channel is off."""

    def __init__(self, toy: ModuleType) -> None:
        super().__init__()
        self.layers = toy.build(batch_norm=False, dropout=0.0)

    def forward(self, images: list[Tensor], targets: list[dict[str, Tensor]] | None = None) -> Any:
        logits = self.layers(torch.stack(images))
        if targets is None:
            return logits
        classes = torch.cat([target["labels"] for target in targets])
        boxes = torch.stack([target["box"] for target in targets])
        return nn.functional.cross_entropy(logits, classes, reduction="none"), (logits - boxes).square().mean(1)


class DetectionLearner:
    """Inputs are a list of pictures, targets a list of dicts; the network is handed both."""

    parts = ("class loss", "box loss")

    def __init__(self, toy: ModuleType) -> None:
        self.toy = toy
        self.seen: list[int] = []

    def prepare(self, batch: Batch, seed: int) -> Batch:
        inputs = [*self.toy.Picture()(batch.inputs)]
        targets = [{"labels": label[None], "box": torch.ones(self.toy.CLASSES)} for label in batch.targets]
        return Batch(inputs=inputs, targets=targets, rows=batch.rows)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        self.seen.append(len(batch.inputs))
        classes, boxes = network(batch.inputs, batch.targets)
        return Losses(items=classes + boxes, parts={"box loss": boxes, "class loss": classes})

    def chunks(self, batch: Batch, count: int) -> tuple[Batch, ...]:
        return batch.split(count)

    def judge(self, network: nn.Module) -> Judged:
        assert not network.training
        assert not torch.is_grad_enabled()
        batch = self.prepare(self.toy.pictures(64, 99), 0)
        classes, boxes = network(batch.inputs, batch.targets)
        return Judged(loss=float(classes.mean()), figures={"AP": 0.5}, rank=-float(boxes.mean()))


def test_a_network_that_needs_the_targets_and_pictures_in_a_list(toy: ModuleType, tmp_path: Path) -> None:
    learner = DetectionLearner(toy)
    train = functools.partial(toy.train, learner=learner, chunk=3, optimizer="sgd")
    whole, fitted = train(Detector(toy))
    assert set(learner.seen) == {2, 3}  # 8 in three parts
    for epoch in fitted.history:
        assert list(epoch.train) == ["class loss", "box loss"]
        assert sum(epoch.train.values()) == pytest.approx(epoch.train_loss)
    assert fitted.history[-1].train["box loss"] < fitted.history[0].train["box loss"]
    with pytest.raises(toy.Killed):
        train(Detector(toy), folder=tmp_path, save_steps=4, on_step=toy.killed_at((2, 6)))
    resumed, again = train(Detector(toy), folder=tmp_path)
    assert toy.digest(resumed) == toy.digest(whole)
    assert [epoch.record()["train_box loss"] for epoch in again.history] == [
        epoch.train["box loss"] for epoch in fitted.history
    ]
