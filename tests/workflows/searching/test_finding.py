"""Trials on real features of a tiny network. In: a Bench, studies. Out: figures, failures that stop nothing, a blind test split."""

from __future__ import annotations

import contextlib
import csv
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.errors import SettingsError, StorageError, TrainingError
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.cache import Cache
from tellapart.reporter import Silent
from tellapart.runs.search_record import SearchTrial
from tellapart.settings.reading import make_settings
from tellapart.settings.tree import TrainSettings
from tellapart.workflows.searching.bench import Bench
from tellapart.workflows.searching.crew import Alone
from tellapart.workflows.searching.finding import Finder
from tellapart.workflows.searching.outcome import SearchResult
from tellapart.workflows.searching.pace import BudgetTooShort, SearchClock
from tellapart.workflows.searching.study import Study
from tellapart.workflows.searching.trying import StoppedEarly, TrialRun, try_settings
from tellapart.workflows.searching.watching import TooLong
from tellapart.workflows.searching.winner import at_the_end, choose_winner, winning_settings, write_best

from .conftest import FACTS, bench_of

GIVEN = {"data": "shades.csv", "strategy": "probe"}
OPENED: list[Study] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def finder(bench: Bench, folder: Path, reporter: Any = None, **facts: Any) -> Finder:
    study = Study(folder / "search", new={**FACTS, "given": GIVEN, "trials": 6, **facts})
    OPENED.append(study)
    clock = SearchClock(None, started=0.0, finish=0.0)
    crew = Alone(bench, folder)
    return Finder(study=study, bench=bench, folder=folder, clock=clock, reporter=reporter or Silent(), crew=crew)


def timed(found: Finder, seconds: float = 1000.0) -> Finder:
    """The same with a budget."""
    return replace(found, clock=SearchClock(seconds, started=time.monotonic(), finish=0.0))


def told(trials: list[SearchTrial]) -> list[tuple[Any, ...]]:
    return [(one.number, one.state, dict(one.settings), one.validation, one.loss) for one in trials]


class Telling(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.steps: list[str] = []

    @contextlib.contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Callable[[int], None]]:
        self.steps.append(title)
        with super().step(title, total) as advance:
            yield advance

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(f"! {text}")


def test_trials_are_scored_on_validation_and_the_best_wins(bench: Bench, tmp_path: Path) -> None:
    telling = Telling()
    found = finder(bench, tmp_path, telling)
    found.try_usual()
    found.run()
    record = choose_winner(found.study, bench, seconds=1.0)
    assert [one.state for one in record.trials] == ["done"] * 6
    assert telling.steps[-2:] == ["Trying the usual settings", "Searching"]
    assert record.usual is not None
    assert (record.figure, record.n_validation) == ("accuracy", 12)
    best = max(record.trials, key=lambda one: one.rank)
    assert record.winner.rank == max(best.rank, record.usual.rank)
    assert telling.lines[0].startswith("the usual settings: accuracy ")
    assert any(", the best so far (probe.strength " in line for line in telling.lines)

    # What the winner's recipe gives is what its trial gave.
    winner = replace(record, best=best.number)
    settings = winning_settings(GIVEN, winner)
    again = try_settings(bench, settings, tmp_path / "again", told=lambda epoch, rank: False)
    assert (again.figure, again.loss) == (best.validation, best.loss)
    written = write_best(tmp_path, settings, winner, score="90.0 %")
    head = written.read_text().splitlines()[:3]
    assert head[0].startswith("# The best of 6 settings that a search has tried: accuracy ")
    assert head[1] == "# On the test split, which chose nothing: 90.0 %."
    assert not (tmp_path / "again").exists()
    usual = write_best(tmp_path, settings, replace(record, best=None)).read_text().splitlines()[0]
    assert usual.startswith("# The usual settings: none of 6 settings that a search has tried was better: accuracy ")


def test_where_time_ends_before_a_trial_the_usual_settings_win(bench: Bench, tmp_path: Path) -> None:
    found = finder(bench, tmp_path)
    found.try_usual()
    record = choose_winner(found.study, bench, seconds=1.0)
    assert record.best is None
    assert record.winner == record.usual
    assert winning_settings(GIVEN, record).strategy == "probe"
    first = write_best(tmp_path, make_settings(GIVEN), record).read_text().splitlines()[0]
    assert first.startswith("# The usual settings: the time of a search allowed no other trial: accuracy ")

    nothing = finder(bench, tmp_path / "nothing")
    nothing.study.remember("figure", "accuracy")
    with pytest.raises(
        TrainingError, match=r"^no trial was done in time, so there is nothing to choose from\. Give the search a"
    ):
        choose_winner(nothing.study, bench, seconds=1.0)


def test_no_trial_sees_the_test_split(
    bench: Bench, shades: Path, backbone: ReadyBackbone, cache: Cache, tmp_path: Path
) -> None:
    """Other test pictures under other labels: the search gives the same to the last digit."""
    first = finder(bench, tmp_path / "first")
    first.run()

    other = tmp_path / "other"
    other.mkdir()
    rows = list(csv.DictReader(shades.read_text().splitlines()))
    lines = ["path,label,split"]
    for row in rows:
        picture, label = Image.open(shades.parent / row["path"]), row["label"]
        if row["split"] == "test":
            picture = Image.fromarray(255 - np.asarray(picture))
            label = {"r": "g", "g": "b", "b": "r"}[label]
        picture.save(other / row["path"])
        lines.append(f"{row['path']},{label},{row['split']}")
    (other / "shades.csv").write_text("\n".join(lines))
    again = bench_of(other / "shades.csv", backbone, cache)
    assert not len(again.dataset.rows["test"])
    assert "test" not in {one.split for one in again.dataset.examples}
    second = finder(again, tmp_path / "second")
    second.run()
    assert told(second.study.trials()) == told(first.study.trials())

    # And a validation label that is another does change what trials give.
    for number, line in enumerate(lines):
        if line.endswith("g,validation"):
            lines[number] = line.replace("g,validation", "r,validation")
            break
    (other / "shades.csv").write_text("\n".join(lines))
    third = finder(bench_of(other / "shades.csv", backbone, cache), tmp_path / "third")
    third.run()
    assert told(third.study.trials()) != told(first.study.trials())


def failing(bench: Bench, *, error: Exception, some: bool) -> Bench:
    """The same, whose classifier cannot be fitted with balanced classes, or at all."""
    fit = bench.task.quick
    assert fit is not None

    def fails(settings: TrainSettings, *given: Any) -> Any:
        if not some or settings.class_weights == "balanced":
            raise error
        return fit(settings, *given)

    bench.task = replace(bench.task, quick=fails, refit=None)
    return bench


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TrainingError("the loss is nan."), "the loss is nan."), (KeyError("x"), "unexpected KeyError: 'x'")],
)
def test_a_trial_that_fails_is_written_down_and_stops_nothing(
    error: Exception, reason: str, bench: Bench, tmp_path: Path
) -> None:
    telling = Telling()
    found = finder(failing(bench, error=error, some=True), tmp_path, telling, trials=8)
    found.run()
    trials = found.study.trials()
    failed = [one for one in trials if one.state == "failed"]
    assert 0 < len(failed) < 8
    assert all((one.state == "failed") == (one.settings["class_weights"] == "balanced") for one in trials)
    assert {one.reason for one in failed} == {reason}
    assert any(line.startswith(f"! Trial {failed[0].number} failed (probe.strength ") for line in telling.lines)
    assert choose_winner(found.study, bench, seconds=0.0).winner.settings["class_weights"] == "none"


def test_where_all_fail_the_first_reason_is_told(bench: Bench, tmp_path: Path) -> None:
    found = finder(failing(bench, error=TrainingError("the loss is nan."), some=False), tmp_path, trials=30)
    found.try_usual()  # fails as well, and is no matter
    with pytest.raises(
        TrainingError,
        match=r"all 10 trials failed, so there is nothing to choose from. The first one \(.*\): the loss is nan.",
    ):
        found.run()
    assert len(found.study.trials()) == 10


def test_features_are_computed_ahead_of_trials_or_the_search_is_refused(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = timed(finder(bench, tmp_path))
    before = found.clock.features_end()
    found.compute_features()
    assert len(bench._embedded) == 1
    assert before is not None
    assert (found.clock.features_end() or 0.0) < before  # those of the test pictures are still to come

    def slow(settings: TrainSettings) -> None:
        raise TooLong(500.0)

    monkeypatch.setattr(Bench, "features", lambda self, settings: slow(settings))
    with pytest.raises(
        BudgetTooShort, match=r"the features of the pictures take about 8 min .* Give --budget 11m or more"
    ):
        found.compute_features()
    grid = finder(bench, tmp_path / "grid", how="grid", space={"network.fit": ["crop", "pad"]})
    grid.compute_features()  # which ones are needed is not known yet


def test_a_fit_is_timed_on_a_part(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, fit = bench.suited(make_settings(GIVEN)), bench.task.quick
    assert fit is not None
    seen: list[tuple[int, int]] = []

    def quick(settings: TrainSettings, dataset: Any, embedded: Any) -> Any:
        seen.append((len(dataset.rows["train"]), len(embedded.vectors) - len(dataset.pictures)))
        return fit(settings, dataset, embedded)

    bench.task = replace(bench.task, quick=quick)
    assert (bench.fit_seconds(settings), seen) == (0.0, [])  # it takes no time with so few
    monkeypatch.setattr("tellapart.workflows.searching.bench._TIMED_FROM", 10)
    monkeypatch.setattr("tellapart.workflows.searching.bench._TIMED_PART", 2)
    assert bench.fit_seconds(settings) > 0
    assert seen == [(18, 0)]


def test_a_first_trial_that_is_too_long_ends_a_search(bench: Bench, tmp_path: Path) -> None:
    found = timed(finder(failing(bench, error=TooLong(500.0), some=False), tmp_path))
    with pytest.raises(BudgetTooShort, match=r"a trial takes at least 8 min .* Give --budget 2\dm or more"):
        found.try_usual()


def test_a_later_trial_that_is_too_long_has_failed(bench: Bench, tmp_path: Path) -> None:
    found = timed(finder(failing(bench, error=TooLong(500.0), some=True), tmp_path, trials=8))
    found.try_usual()
    assert found.study.remembered("plan") == {}  # a classifier has no epochs
    found.run()
    reasons = {one.reason for one in found.study.trials() if one.state == "failed"}
    assert reasons == {"it takes longer than the budget leaves for it"}


def test_all_trials_learn_as_long_as_the_first(bench: Bench, tmp_path: Path) -> None:
    """The first plans by the clock; what it has planned is told to the others, but for what is searched."""
    given, fit = [], bench.task.quick
    assert fit is not None

    def quick(settings: TrainSettings, *features: Any) -> Any:
        given.append(settings.network.fit)
        return fit(settings, *features)

    bench.task = replace(bench.task, quick=quick, refit=None)
    found = timed(finder(bench, tmp_path, trials=2))
    found.study.remember("plan", {"network.fit": "pad"})
    found.run()
    assert given == ["pad", "pad"]
    planned = {"loop.epochs": 9, "finetune.views": 2, "network.fit": "crop"}
    assert found._lengths(planned) == {"loop.epochs": 9, "finetune.views": 2}
    searched = finder(bench, tmp_path / "epochs", space={"loop.epochs": [2, 3]})
    assert searched._lengths(planned) == {"finetune.views": 2}


def test_who_joins_waits_for_the_plan_of_the_first(bench: Bench, tmp_path: Path) -> None:
    first = timed(finder(bench, tmp_path, trials=2))
    assert first.study.alone
    study = Study(tmp_path / "search")
    OPENED.append(study)
    joined = replace(first, study=study)
    assert not study.alone
    told: list[str] = []
    waiting = threading.Thread(target=lambda: (joined.run(waits=False), told.append("done")))
    waiting.start()
    waiting.join(0.5)
    assert not told
    assert first.study.trials() == []
    first.study.remember("plan", {})
    waiting.join(60)
    assert told == ["done"]
    assert len(first.study.trials()) == 2


def test_a_training_that_is_planned_too_long_ends_before_it_begins(tmp_path: Path) -> None:
    def no(epoch: int, rank: float) -> bool:
        return False

    run = TrialRun(folder=tmp_path, settings=make_settings(GIVEN), lock=None, told=no, end=time.monotonic() + 1000)
    run.log("planned", epochs=3, seconds=900.0)
    for event, seconds in (("planned", 1100.0), ("too short", 1.0)):
        with pytest.raises(TooLong) as found:
            run.log(event, seconds=seconds)
        assert found.value.seconds == seconds
    TrialRun(folder=tmp_path, settings=make_settings(GIVEN), lock=None, told=no).log("planned", seconds=1e9)


def test_a_full_disk_ends_the_search(bench: Bench, tmp_path: Path) -> None:
    found = finder(failing(bench, error=StorageError("the disk is full."), some=False), tmp_path)
    with pytest.raises(StorageError, match="the disk is full"):
        found.run()


def test_of_many_trials_features_are_computed_once(bench: Bench, tmp_path: Path) -> None:
    settings = make_settings(GIVEN)
    _, first = bench.features(bench.suited(settings))
    _, again = bench.features(bench.suited(settings.model_copy(update={"class_weights": "balanced"})))
    assert again is first
    padded = settings.network.model_copy(update={"fit": "pad"})
    _, other = bench.features(bench.suited(settings.model_copy(update={"network": padded})))
    assert other is not first


def test_settings_that_the_task_has_no_use_for_are_refused(bench: Bench) -> None:
    settings = make_settings({**GIVEN, "network": {"detector": "ssd"}})
    with pytest.raises(SettingsError, match="network.detector is ssd, which is for pictures with boxes alone."):
        bench.suited(settings)


def test_epochs_are_handed_on_until_one_says_stop(tmp_path: Path) -> None:
    seen: list[tuple[int, float]] = []

    def stop(epoch: int, rank: float) -> bool:
        seen.append((epoch, rank))
        return epoch == 2

    run = TrialRun(folder=tmp_path, settings=make_settings(GIVEN), lock=None, told=stop)
    run.log("planned", epochs=3)
    run.log("epoch", number=1, rank=-0.5)
    with pytest.raises(StoppedEarly) as stopped:
        run.log("epoch", number=2, rank=-0.4)
    assert stopped.value.epoch == 2
    assert seen == [(1, -0.5), (2, -0.4)]
    assert list(tmp_path.iterdir()) == []


def test_a_result_says_what_it_is_worth(bench: Bench, tmp_path: Path) -> None:
    found = finder(bench, tmp_path, trials=2)
    found.try_usual()
    found.run()
    record = choose_winner(found.study, bench, seconds=0.0)

    class Trained:
        score, seconds = "the test's", 1.0

        def as_json(self) -> dict[str, Any]:
            return dict.fromkeys(("run", "model", "task", "report", "score"))

    trained: Any = Trained()
    result = SearchResult(record=record, result=trained, recipe=tmp_path / "best.toml", optimism=None)
    assert (result.score, result.validation) == ("the test's", record.winner.validation)
    assert [one.number for one in result.trials] == [0, 1]
    assert record.usual is not None
    assert result.as_json()["usual"] == {
        "name": "accuracy",
        "value": record.usual.validation,
        "log_loss": record.usual.loss,
    }


def test_a_winner_at_the_end_of_its_range_is_told(bench: Bench, tmp_path: Path) -> None:
    found = finder(bench, tmp_path)
    asked = found.study.ask()
    assert asked is not None
    found.study.remember("figure", "accuracy")
    found.study.tell(asked, SearchTrial(number=0, state="done", settings=asked.settings, validation=0.9))
    record = choose_winner(found.study, bench, seconds=0.0)
    low = replace(record, trials=[replace(record.winner, settings={"probe.strength": 1.01e-4})])
    middle = replace(record, trials=[replace(record.winner, settings={"probe.strength": 1e-2})])
    assert (at_the_end(low), at_the_end(middle)) == (["probe.strength"], [])
