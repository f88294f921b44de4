"""Settings become a training. In: pictures whose class is their brightness. Out: what was trained, told and refused."""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tellapart.errors import SettingsError, TrainingError
from tellapart.features.frozen import CachedViews
from tellapart.features.rows import RowStore
from tellapart.models.blocks import Block
from tellapart.models.freezing import freeze
from tellapart.models.scratch import build_scratch
from tellapart.reporter import Silent
from tellapart.runtime import cores
from tellapart.settings.loop import LoopSettings
from tellapart.settings.reading import make_settings
from tellapart.tasks.lesson import Lesson
from tellapart.training.devices import Devices, default_workers
from tellapart.workflows.learning import finetune, fitting
from tellapart.workflows.learning.assemble import fingerprint
from tellapart.workflows.learning.fitting import run_job
from tellapart.workflows.learning.job import Job

SIDE, COUNT = 16, 48


class Bright:
    """Plain pictures: the even rows are dark, the odd ones bright."""

    def __len__(self) -> int:
        return COUNT

    def get(self, rows: Any, epoch: int) -> Any:
        noise = np.random.default_rng((epoch, *rows)).integers(0, 40, (len(rows), SIDE, SIDE, 3))
        return (noise + 120 * (np.asarray(rows) % 2)[:, None, None, None]).astype(np.uint8)


def test_a_job_goes_to_other_processes_whole(tmp_path: Path) -> None:
    sent = pickle.loads(pickle.dumps(job(tmp_path)))
    assert (sent.task, sent.lesson.class_count) == ("classification", 2)


def job(folder: Path, **changes: Any) -> Job:
    built = build_scratch("blocks", class_count=2, seed=0, size=SIDE, blocks=[Block(filters=4)])
    freeze(built.network, 1)
    labels = (np.arange(COUNT) % 2).astype(np.int64)
    lesson = Lesson(
        class_count=2,
        network=built.network,
        start=0,
        loop=LoopSettings(batch_size=8, epochs=4),
        balanced=False,
        mixup=0.0,
        cutmix=0.0,
        train=Bright(),
        train_targets=labels,
        train_rows=np.arange(32),
        validation=Bright(),
        validation_targets=labels,
        validation_rows=np.arange(32, COUNT),
    )
    taught = {field.name for field in fields(Lesson)} & changes.keys()
    whole = Job(
        task="classification",
        lesson=replace(lesson, **{name: changes.pop(name) for name in taught}),
        train_strata=labels,
        epochs=4,
        learning_rate=0.02,
        seed=0,
        fingerprint="one",
        folder=folder,
        samples=Bright().get(np.arange(2), 0),
        deadline=None,
        title="Training",
    )
    return replace(whole, **changes)


def test_dark_and_bright_are_learned_and_every_epoch_is_told(tmp_path: Path) -> None:
    told: list[Any] = []
    fitted = run_job(job(tmp_path), Devices(threads=1), Silent(), lambda event, **facts: told.append((event, facts)))
    assert fitted.history[-1].validation["accuracy"] == 1.0
    assert [facts["number"] for event, facts in told if event == "epoch"] == [1, 2, 3, 4]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    curve = [event.value for event in events.Scalars("loss/validation")]
    assert curve == pytest.approx([epoch.validation_loss for epoch in fitted.history])
    assert events.Tags()["images"] == ["training_pictures/0", "training_pictures/1"]


class Told:
    """A reporter that notes everything."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.total, self.advanced = 0, list[int]()

    @contextlib.contextmanager
    def step(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        self.total, self.advanced = total, []
        yield self.advanced.append

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)


def test_each_epoch_tells_the_time_left_but_for_the_last(tmp_path: Path) -> None:
    told = Told()
    run_job(job(tmp_path), Devices(threads=1), told)
    assert [line.split(":")[0] for line in told.said] == [f"epoch {number} of 4" for number in (1, 2, 3, 4)]
    assert all(re.search(r"; [\d,]+ pictures/s, about \d+ s left$", line) for line in told.said[:3])
    assert told.said[3].endswith(" pictures/s")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (89, "89 s"), (100, "2 min"), (480, "8 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_time_in_words(seconds: float, words: str) -> None:
    assert fitting._in_words(seconds) == words


def test_a_resumed_bar_begins_where_it_stopped(tmp_path: Path) -> None:
    told = Told()
    first = job(tmp_path, validation=Bright())
    calls: list[int] = []

    def stop(event: str, **facts: Any) -> None:
        calls.append(facts["number"])
        if len(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_job(first, Devices(threads=1), told, stop)
    assert told.advanced == [0] + [1] * 8
    run_job(job(tmp_path), Devices(threads=1), told)
    assert told.advanced == [4] + [1] * 12  # the second epoch was told, and not yet saved
    assert sum(told.advanced) == told.total == 16


class Room:
    """A hook that lets so many pictures pass at a time when a network is not trained."""

    def __init__(self, pictures: int) -> None:
        self.pictures, self.tried = pictures, list[int]()

    def __call__(self, network: Any, arguments: tuple[Any, ...]) -> None:
        if not network.training:
            self.tried.append(len(arguments[0]))
            if self.tried[-1] > self.pictures:
                raise torch.OutOfMemoryError("CUDA out of memory.")


def test_validation_takes_fewer_pictures_where_memory_runs_out(tmp_path: Path) -> None:
    plain = run_job(job(tmp_path / "plain"), Devices(threads=1), Silent())
    narrow, room = job(tmp_path / "narrow"), Room(5)
    narrow.lesson.network.register_forward_pre_hook(room)
    fitted = run_job(narrow, Devices(threads=1), Silent())
    for own, other in zip(fitted.history, plain.history, strict=True):
        assert own.validation_loss == pytest.approx(other.validation_loss, rel=1e-5)
        assert own.validation["accuracy"] == other.validation["accuracy"]
    assert room.tried[:6] == [16, 8, 4, 4, 4, 4]
    assert set(room.tried[6:]) == {4}  # found out once


def test_validation_without_memory_for_one_picture_is_refused(tmp_path: Path) -> None:
    narrow = job(tmp_path)
    narrow.lesson.network.register_forward_pre_hook(Room(0))
    with pytest.raises(
        TrainingError, match="memory does not suffice to validate 1 picture at a time; .* Choose smaller"
    ):
        run_job(narrow, Devices(threads=1), Silent())


class Pair(Devices):
    """One of two processes, whose other one gives nothing."""

    def share(self, tensor: Any) -> None:
        pass

    def add_up(self, tensor: Any) -> None:
        pass


@pytest.mark.skipif(cores() < 2, reason="one core is all that there is")
def test_one_thread_under_a_launcher_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    told, quiet = Told(), Told()
    run_job(job(tmp_path / "0"), Pair(world=2, threads=1), told)
    assert [text.partition(" (")[0] for text in told.warned] == ["OMP_NUM_THREADS is 1"]
    run_job(job(tmp_path / "1"), Pair(world=2, rank=1, threads=1), quiet)
    run_job(job(tmp_path / "2"), Devices(threads=1), quiet)
    assert quiet.warned == []


def test_worker_processes_only_where_they_help(tmp_path: Path) -> None:
    gpu = Devices(device=torch.device("cuda"), threads=1)
    wanted = {
        available: [
            default_workers(devices, available=available)
            for devices in (Devices(threads=1), gpu, replace(gpu, world=8))
        ]
        for available in (1, 2, 4, 16, 64)
    }
    assert wanted == {1: [0, 0, 0], 2: [0, 1, 0], 4: [3, 3, 0], 16: [8, 8, 1], 64: [8, 8, 7]}
    one = job(tmp_path)
    assert fitting._workers(one, gpu) == default_workers(gpu)
    asked = one.lesson.loop.model_copy(update={"workers": 3})
    assert fitting._workers(job(tmp_path, loop=asked), gpu) == 3  # asked for is given
    views: dict[str, Any] = dict.fromkeys(("pictures", "views", "problems", "order", "maker"))
    mapped = CachedViews(**views, store=RowStore.__new__(RowStore))
    assert fitting._workers(job(tmp_path, train=mapped), gpu) == 0
    assert fitting._workers(job(tmp_path, train=CachedViews(**views, store=None)), gpu) == default_workers(gpu)


# Worker processes import it from a file.
DARK = """
import numpy as np

class Dark:
    def __len__(self):
        return 48

    def get(self, rows, epoch):
        return np.zeros((len(rows), 16, 16, 3), np.uint8)
"""


@pytest.mark.slow
def test_a_training_that_fails_ends_its_worker_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dark_source.py").write_text(DARK)
    monkeypatch.syspath_prepend(str(tmp_path))
    import dark_source  # type: ignore[import-not-found]

    settings = LoopSettings(batch_size=8, epochs=4, workers=1)
    one = job(tmp_path, train=dark_source.Dark(), loop=settings)
    one.lesson.network.register_forward_pre_hook(Room(0))
    with pytest.raises(TrainingError, match="memory does not suffice to validate") as kept:
        run_job(one, Devices(threads=1), Silent())
    assert multiprocessing.active_children() == []
    assert kept.value is not None  # which keeps the frames, and what they hold, alive
    sys.modules.pop("dark_source")


@pytest.mark.parametrize(
    "loop",
    [
        {"optimizer": "sgd", "schedule": "step", "l1": 1e-5, "l2": 1e-4},
        {"schedule": "plateau", "loss": "focal", "sampling": "balanced", "average": 0.9},
        {"schedule": "constant", "accumulate": 2, "clip": 0, "patience": 2, "channels_last": False},
    ],
)
def test_every_part_of_the_loop_can_be_chosen(tmp_path: Path, loop: dict[str, Any]) -> None:
    settings = make_settings({"data": "x", "loop": {"batch_size": 8, **loop}}).loop
    fitted = run_job(job(tmp_path, loop=settings, balanced=True), Devices(threads=1), Silent())
    assert fitted.history[-1].train_loss < fitted.history[0].train_loss


def test_whole_pictures_are_mixed_as_float_and_stay_pictures(tmp_path: Path) -> None:
    plain = run_job(job(tmp_path / "plain"), Devices(threads=1), Silent())
    for name in ("mixup", "cutmix"):
        mixed = run_job(job(tmp_path / name, **{name: 1.0}), Devices(threads=1), Silent())
        # Soft targets leave a loss that cannot be learned away; whole pictures are told apart all the same.
        assert mixed.history[-1].train_loss > plain.history[-1].train_loss
        assert mixed.history[-1].validation["accuracy"] == 1.0


def test_rare_classes_count_as_much_as_common_ones(tmp_path: Path) -> None:
    rows = np.array([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 1, 3])  # 14 dark, 2 bright
    kinds = {}
    for balanced in (False, True):
        one = job(tmp_path / str(balanced), train_rows=rows, balanced=balanced, epochs=1, learning_rate=1e-9)
        kinds[balanced] = run_job(one, Devices(threads=1), Silent()).history[0].train_loss
    network = job(tmp_path).lesson.network.eval()
    assert kinds[True] != pytest.approx(kinds[False], abs=1e-4)
    with torch.inference_mode():
        assert network(torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)).shape == (1, 2)


def test_sets_of_classes_are_learned_with_their_own_figures(tmp_path: Path) -> None:
    bright = (np.arange(COUNT) % 2).astype(np.float32)
    sets = np.stack([bright, 1 - bright], axis=1)
    sets[::3, 0] = np.nan  # of every third picture it is not known whether it is bright
    told, records = Told(), list[dict[str, Any]]()
    several = job(tmp_path, task="multilabel", train_targets=sets, validation_targets=sets, mixup=0.2)
    fitted = run_job(several, Devices(threads=1), told, lambda event, **facts: records.append(facts))
    assert fitted.history[-1].validation == {"mAP": 1.0}
    assert fitted.history[-1].validation_loss < 0.5 < fitted.history[0].validation_loss + 0.3
    assert [epoch.rank for epoch in fitted.history] == [-epoch.validation_loss for epoch in fitted.history]
    assert re.match(r"epoch 4 of 4: train loss \d\.\d{4}; validation loss \d\.\d{4}, mAP 100\.0 %; ", told.said[-1])
    assert records[-1]["validation_mAP"] == 1.0
    assert not [key for key in records[-1] if "accuracy" in key]
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("mAP/validation")][-1] == 1.0


def test_sets_of_classes_for_a_classifier_are_refused_before_anything_is_trained(tmp_path: Path) -> None:
    sets = np.ones((COUNT, 2), dtype=np.float32)
    for changes in ({"train_targets": sets}, {"validation_targets": sets}, {"train_targets": sets, "mixup": 1.0}):
        told = Told()
        with pytest.raises(ValueError, match=r"targets are float32 \[\d+, 2\]; one class a picture is int64"):
            run_job(job(tmp_path, **changes), Devices(threads=1), told)
        assert told.said == []
        assert not (tmp_path / "checkpoints").exists()


def test_balanced_sampling_draws_the_strata(tmp_path: Path) -> None:
    seen: list[int] = []

    class Noting(Bright):
        def get(self, rows: Any, epoch: int) -> Any:
            seen.extend(np.asarray(rows).tolist())
            return super().get(rows, epoch)

    strata = (np.arange(COUNT) < 28).astype(np.int64)  # 4 of the 32 training pictures are of the rare stratum
    loop = LoopSettings(batch_size=8, epochs=1, sampling="balanced")
    run_job(job(tmp_path, train=Noting(), train_strata=strata, loop=loop, epochs=1), Devices(threads=1), Silent())
    assert sum(row >= 28 for row in seen) == 16
    assert len(seen) == 32


def test_patience_ends_a_training_that_finds_nothing_better(tmp_path: Path) -> None:
    loop = LoopSettings(
        batch_size=8,
        epochs=40,
        patience=2,
        schedule="constant",
    )
    fitted = run_job(job(tmp_path, loop=loop, epochs=40, learning_rate=1.0), Devices(threads=1), Silent())
    assert fitted.stopped == "early"
    assert len(fitted.history) == fitted.best_epoch + 2


def test_a_line_of_progress_is_told_as_ever(tmp_path: Path) -> None:
    told = Told()
    run_job(job(tmp_path), Devices(threads=1), told)
    line = (
        r"epoch 4 of 4: train loss \d\.\d{4}, accuracy \d+\.\d %; validation loss \d\.\d{4}, accuracy 100\.0 %; "
        r"\d+ pictures/s"
    )
    assert re.fullmatch(line, told.said[-1])


def test_a_fingerprint_tells_facts_and_arrays_apart() -> None:
    labels = np.arange(4)
    assert fingerprint({"a": 1}, labels) == fingerprint({"a": 1}, labels.copy())
    assert len({fingerprint({"a": 1}, labels), fingerprint({"a": 2}, labels), fingerprint({"a": 1}, labels + 1)}) == 3


def test_cutmix_on_stages_that_give_no_maps_is_refused() -> None:
    name, tokens = "vit_tiny_patch16_224", (197, 192)
    with pytest.raises(SettingsError, match=f"the frozen stages of {name} give no maps that could be cut"):
        finetune._check_mixing(1.0, name, 1, tokens)
    finetune._check_mixing(1.0, name, 1, (112, 14, 14))
    finetune._check_mixing(0.0, name, 1, tokens)
    finetune._check_mixing(1.0, name, 0, tokens)  # nothing is frozen: pictures are cut
