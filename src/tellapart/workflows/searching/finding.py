"""Trial after trial, until enough are done. In: Study, Bench. Out: trials in the study. Next: winner.py.

A trial that fails is written down with its reason, and the search goes on.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tellapart.errors import StorageError, TellapartError
from tellapart.memory import memory_errors
from tellapart.reporter import Reporter, counted, percent
from tellapart.runs.search_record import SearchTrial
from tellapart.settings.space import value_text
from tellapart.settings.space_checking import settings_with
from tellapart.workflows.searching.attempt import Order
from tellapart.workflows.searching.bench import Bench
from tellapart.workflows.searching.concluded import LOSSES, TOO_LONG, all_failed, begun_again, facts_of
from tellapart.workflows.searching.crew import Crew
from tellapart.workflows.searching.pace import BudgetTooShort, SearchClock
from tellapart.workflows.searching.study import ProposedTrial, Study
from tellapart.workflows.searching.trying import LENGTHS
from tellapart.workflows.searching.watching import TooLong

USUAL = "usual"  # what the study remembers of the settings as they would be without a search
FIGURE = "figure"  # and of what trials are compared by
PLAN = "plan"  # and of how long the first trial has learned, by a budget: so long do all others
_HOPELESS = 10  # trials that fail one after another from the beginning
_SLOW = 5.0  # seconds; each trial that takes longer is told
_OTHER_FEATURES = ("strategy", "backbone", "weights", "network.size", "network.crop", "network.fit", "network.pooling")
_PAUSE = 0.2  # seconds between looks at what others do


@dataclass(slots=True, kw_only=True)
class _Begun:
    """A trial that somebody is at work on."""

    number: int
    settings: dict[str, Any]
    asked: ProposedTrial | None = None  # None: of the usual settings
    lost: int = 0  # times that who did it was gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """One process that asks for the trials of a search, and writes down what they gave."""

    study: Study
    bench: Bench
    folder: Path  # the run's
    clock: SearchClock
    reporter: Reporter
    crew: Crew
    _at_work: dict[int, _Begun] = field(default_factory=dict)
    _twins: list[ProposedTrial] = field(default_factory=list)  # of the settings of one at work

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
            self._begin(_Begun(number=-1, settings={}))
            found = None
            while found is None:
                found = self._take()[1]
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
            while self._ask_for_all() or self._at_work:
                done = len(self.study.trials()) - len(self._at_work)
                advance(done - shown)
                shown = done
                begun, found = self._take()
                if begun is not None and begun.asked is not None and found is not None:
                    self._keep(begun.asked, found)
            self._settle_twins()
            if waits:
                self._wait()
            advance(len(self.study.trials()) - shown)

    def _ask_for_all(self) -> bool:
        """Give each who has nothing to do a trial, as long as there are some; whether anybody is at work."""
        while len(self._at_work) < self.crew.size and self.clock.has_room(self._took()):
            if self._at_work and self.clock.left is not None and self.study.remembered(PLAN) is None:
                break  # how long all learn, the first of them says
            asked = self._next_trial()
            if asked is None:
                break
            if asked.known is not None:
                self._tell_known(asked, asked.known)
            elif any(one.settings == asked.settings for one in self._at_work.values()):
                self._twins.append(asked)  # what that one gives is known before long
            else:
                self._begin(_Begun(number=asked.number, settings=asked.settings, asked=asked))
        return bool(self._at_work)

    def _next_trial(self) -> ProposedTrial | None:
        """One that waited for another of the same settings, or else a new one; None where there are enough."""
        at_work = [one.settings for one in self._at_work.values()]
        for asked in self._twins:
            if asked.settings not in at_work:
                self._twins.remove(asked)
                return replace(asked, known=self.study.known(asked.settings))
        return self.study.ask()

    def _settle_twins(self) -> None:
        """Those that are left wait for nothing any more: the time is up."""
        for asked in self._twins:
            known = self.study.known(asked.settings)
            if known is not None:
                self._tell_known(asked, known)
            else:
                late = SearchTrial(number=asked.number, state="failed", settings=asked.settings, reason=TOO_LONG)
                self.study.tell(asked, late)
        self._twins.clear()

    def _tell_known(self, asked: ProposedTrial, known: SearchTrial) -> None:
        told = {name: getattr(known, name) for name in ("validation", "loss", "epochs", "planned")}
        reason = f"as trial {known.number}"
        self.study.tell(
            asked, SearchTrial(number=asked.number, state="done", settings=asked.settings, reason=reason, **told)
        )

    def _begin(self, begun: _Begun) -> None:
        plan, asked = self.study.remembered(PLAN), begun.asked
        end = self.clock.trial_end([] if plan is None else self._took())
        planned_end = self.clock.first_end() if plan is None else end
        now = time.monotonic()
        order = Order(
            number=begun.number,
            given=dict(self.given),
            changes={**(plan or {}), **begun.settings},
            plans=plan is None and end is not None,
            seconds=None if end is None else end - now,
            planned_seconds=None if planned_end is None else planned_end - now,
        )
        self._at_work[begun.number] = begun
        self.crew.begin(
            order, (lambda epoch, rank: False) if asked is None else functools.partial(self.study.stops, asked)
        )

    def _take(self) -> tuple[_Begun | None, SearchTrial | None]:
        """What ends next, and what came of it; None of a trial that is begun again, since who did it is gone; twice None of none.

        Raises: BudgetTooShort of the first one within a budget; StorageError.
        """
        ended = self.crew.next()
        if ended is None:
            return None, None
        order, found = ended
        begun = self._at_work.pop(order.number)
        if found.state == "lost":
            begun.lost += 1
            if begun.lost < LOSSES:
                self.reporter.warn(begun_again(begun.number, found.reason))
                self._begin(begun)
                return begun, None
        if found.state == "late" and order.plans:
            began = time.monotonic() - found.seconds
            raise self.clock.too_short(found.seconds + (found.more or found.seconds), began=began)
        tried = found.tried
        if tried is not None and self.study.remembered(FIGURE) is None:
            self.study.remember(FIGURE, tried.figure_name)
        if tried is not None and order.plans and self.study.remembered(PLAN) is None:
            self.study.remember(PLAN, self._lengths(tried.planned))
        facts = facts_of(found)
        return begun, SearchTrial(number=begun.number, settings=begun.settings, seconds=found.seconds, **facts)

    def _keep(self, asked: ProposedTrial, found: SearchTrial) -> None:
        """Write down what a trial has given, and say it. Raises: TrainingError where none so far has given anything."""
        before = max((one.rank for one in self.study.trials() if one.state == "done"), default=(-1.0, 0.0))
        self.study.tell(asked, found)
        self._say(found, best=found.state == "done" and found.rank > before)
        trials = [one for one in self.study.trials() if one.state != "running"]
        if len(trials) >= _HOPELESS and all(one.state == "failed" for one in trials):
            raise all_failed(trials)

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
