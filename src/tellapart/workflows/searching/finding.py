"""Trial after trial, until enough are done. In: Study, Bench. Out: trials in the study. Next: winner.py.

A trial that fails is written down with its reason, and the search goes on.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import StorageError, TellapartError, TrainingError
from tellapart.memory import memory_errors
from tellapart.reporter import Reporter, counted, percent
from tellapart.runs.run import WORK
from tellapart.runs.search_record import SearchTrial
from tellapart.settings.space import value_text
from tellapart.settings.space_checking import settings_with
from tellapart.workflows.searching.bench import Bench
from tellapart.workflows.searching.pace import BudgetTooShort, SearchClock
from tellapart.workflows.searching.study import ProposedTrial, Study
from tellapart.workflows.searching.trying import LENGTHS, StoppedEarly, Told, try_settings
from tellapart.workflows.searching.watching import TooLong

USUAL = "usual"  # what the study remembers of the settings as they would be without a search
FIGURE = "figure"  # and of what trials are compared by
PLAN = "plan"  # and of how long the first trial has learned, by a budget: so long do all others
_HOPELESS = 10  # trials that fail one after another from the beginning
_SLOW = 5.0  # seconds; each trial that takes longer is told
_OTHER_FEATURES = ("strategy", "backbone", "weights", "network.size", "network.crop", "network.fit", "network.pooling")
_PAUSE = 0.2  # seconds between looks at what others do


class NothingFound(TrainingError):
    """No trial of a search has given anything, and going on with it would not either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """One process at work on a search."""

    study: Study
    bench: Bench
    folder: Path  # the run's
    clock: SearchClock
    reporter: Reporter

    @property
    def given(self) -> Mapping[str, Any]:
        """The settings that stay, as tables of a recipe."""
        given: Mapping[str, Any] = self.study.told["given"]
        return given

    def compute_features(self) -> None:
        """The features by the usual settings, of a task and strategy that have some, ahead of any trial.

        Raises: BudgetTooShort where there is no time for that.
        """
        if self.study.told["how"] == "grid" and set(self.study.space) & set(_OTHER_FEATURES):
            return
        began = time.monotonic()
        try:
            settings = self.bench.suited(settings_with(self.given, {}))
            if self.bench.task.quick is None or settings.strategy == "scratch":
                return
            with memory_errors(), self.bench.watched(self.clock.features_end()):
                dataset, embedded = self.bench.features(settings)
            if self.clock.left is not None and settings.strategy == "probe":
                self.clock.check_fit(self.bench.fit_seconds(settings))
        except BudgetTooShort:
            raise
        except TooLong as found:
            took = time.monotonic() - began
            raise self.clock.no_features(took + (found.seconds or took), began=began) from None
        except StorageError:
            raise
        except TellapartError:  # the trials say what it is
            return
        if embedded.computed:  # those of the test pictures are computed by the winner
            test = len(self.bench.examined.inspections) - len(dataset.pictures)
            self.clock.reserve(max(0, test) * embedded.seconds / embedded.computed)

    def try_usual(self) -> None:
        """Score the settings as they are without a search, once, to compare with; a failure is no matter."""
        if self.study.remembered(USUAL) is not None or self.study.told["how"] == "grid":
            return
        with self.reporter.step("Trying the usual settings", 1) as advance:
            found = self._trial(-1, {}, lambda epoch, rank: False)
            advance(1)
        self.study.remember(USUAL, {name: getattr(found, name) for name in SearchTrial.__dataclass_fields__})
        if found.validation is not None:
            self.reporter.say(f"the usual settings: {self._figure(found)} on validation")
        else:
            self.reporter.warn(f"The usual settings cannot be compared with: {found.reason}")

    def run(self, *, waits: bool = True) -> None:
        """Do trials until there are enough, in all processes together, or the time is up; where it `waits`, until all are done.

        Raises: TrainingError where none can be expected to give anything; StorageError.
        """
        told = self.study.told["trials"] if self.clock.left is None else None  # nobody knows how many the time allows
        if not waits:
            self._wait_for_plan()
        with self.reporter.step("Searching", told) as advance:
            shown = 0
            while self.clock.has_room(self._took()):
                asked = self.study.ask()
                done = len(self.study.trials()) - (asked is not None)
                advance(done - shown)
                shown = done
                if asked is None:
                    break
                self._do(asked)
            if waits:
                self._wait()
            advance(len(self.study.trials()) - shown)

    def _do(self, asked: ProposedTrial) -> None:
        if asked.known is not None:
            reason = f"as trial {asked.known.number}"
            told = {name: getattr(asked.known, name) for name in ("validation", "loss", "epochs", "planned")}
            self.study.tell(
                asked, SearchTrial(number=asked.number, state="done", settings=asked.settings, reason=reason, **told)
            )
            return
        before = max((one.rank for one in self.study.trials() if one.state == "done"), default=(-1.0, 0.0))
        found = self._trial(asked.number, asked.settings, lambda epoch, rank: self.study.stops(asked, epoch, rank))
        self.study.tell(asked, found)
        self._say(found, best=found.state == "done" and found.rank > before)
        trials = [one for one in self.study.trials() if one.state != "running"]
        if len(trials) >= _HOPELESS and all(one.state == "failed" for one in trials):
            raise all_failed(trials)

    def _trial(self, number: int, settings: dict[str, Any], told: Told) -> SearchTrial:
        """One trial, whatever comes of it. Raises: StorageError, since with a full disk all others would fail as well."""
        began = time.monotonic()
        facts: dict[str, Any] = {}
        plan = self.study.remembered(PLAN)
        end = self.clock.trial_end([] if plan is None else self._took())
        planned_end = self.clock.first_end() if plan is None else end
        try:
            with memory_errors():
                work = self.folder / WORK / f"trial-{number}"
                every = settings_with(self.given, {**(plan or {}), **settings})
                tried = try_settings(self.bench, every, work, told=told, end=end, planned_end=planned_end)
            if self.study.remembered(FIGURE) is None:
                self.study.remember(FIGURE, tried.figure_name)
            if plan is None and end is not None:
                self.study.remember(PLAN, self._lengths(tried.planned))
            facts = {
                "state": "done",
                "validation": tried.figure,
                "loss": tried.loss,
                "epochs": tried.epochs,
                "planned": tried.planned,
            }
        except StoppedEarly as stopped:
            facts = {"state": "stopped", "epochs": stopped.epoch, "reason": "others were better after as many epochs"}
        except TooLong as found:
            if plan is None:
                took = time.monotonic() - began
                raise self.clock.too_short(took + (found.seconds or took), began=began) from None
            facts = {"state": "failed", "reason": "it takes longer than the budget leaves for it"}
        except StorageError:
            raise
        except TellapartError as error:
            facts = {"state": "failed", "reason": str(error)}
        except Exception as error:  # a fault of ours or of a package: one trial of many must not end a night's work
            facts = {"state": "failed", "reason": f"unexpected {type(error).__name__}: {error}"[:500]}
        return SearchTrial(number=number, settings=settings, seconds=time.monotonic() - began, **facts)

    def _lengths(self, planned: Mapping[str, Any]) -> dict[str, Any]:
        """How long a trial has learned, as far as that is not searched, and holds for all."""
        space = self.study.space
        return (
            {} if "strategy" in space else {key: planned[key] for key in LENGTHS if key in planned and key not in space}
        )

    def _wait_for_plan(self) -> None:
        """Where there is a budget, the first trial plans how long all of them learn, if another process is at work on one."""
        while (self.clock.left or 0.0) > 0 and self.study.remembered(PLAN) is None and not self.study.alone:
            time.sleep(_PAUSE)

    def _took(self) -> list[float]:
        """Seconds of trials that were trained to their end, in all processes."""
        every = [one.seconds for one in self.study.trials() if one.state == "done" and one.seconds]
        usual = self.study.remembered(USUAL) or {}
        return [*every, *([usual["seconds"]] if usual.get("state") == "done" else [])]

    def _wait(self) -> None:
        """Until the others are done with their trials, or the time is up."""
        while self.study.at_work and self.clock.has_room(self._took()):
            time.sleep(_PAUSE)

    def _say(self, found: SearchTrial, *, best: bool) -> None:
        said = ", ".join(f"{key} {value_text(value)}" for key, value in found.settings.items())
        if found.state == "failed":
            self.reporter.warn(f"Trial {found.number} failed ({said}): {found.reason}")
        elif found.state == "stopped" and found.seconds > _SLOW:
            self.reporter.say(f"trial {found.number}: stopped after {counted(found.epochs or 0, 'epoch')} ({said})")
        elif found.state == "done" and (best or (found.epochs and found.seconds > _SLOW)):
            self.reporter.say(
                f"trial {found.number}: {self._figure(found)}{', the best so far' if best else ''} ({said})"
            )

    def _figure(self, found: SearchTrial) -> str:
        return f"{self.study.remembered(FIGURE).replace('_', ' ')} {percent(found.validation or 0.0)}"


def all_failed(trials: list[SearchTrial]) -> NothingFound:
    """What to say where no trial has given anything; `trials` are those that failed."""
    if not trials:
        return NothingFound(
            "no trial was done in time, so there is nothing to choose from. Give the search a longer --budget."
        )
    first = trials[0]
    said = ", ".join(f"{key}={value_text(value)}" for key, value in first.settings.items())
    return NothingFound(
        f"all {counted(len(trials), 'trial')} failed, so there is nothing to choose from. The first one ({said}): {first.reason}"
    )
