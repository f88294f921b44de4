"""The trials of a search, shared by all processes at work on it. In: Space. Out: what to try next, a table. Next: journal.py.

Optuna proposes (TPE: Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization) and says which training to stop early; what
a trial is worth is told to it. A proposal is a function of the seed and the trials before it: a search that was killed goes on as
it would have.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from tellapart.errors import SettingsError
from tellapart.runs.search_record import SearchTrial
from tellapart.settings.space import Space, TriedRange, TriedValues, space_of, value_text
from tellapart.workflows.searching.journal import ALIVE, JOURNAL, Alive, is_alive, one_at_a_time, open_journal

_NAME, _TOLD, _BURIED, _FREE = "search", "told", "buried", "free"
_NUMBER = "number"  # of a trial, as it is told: those that were killed leave theirs to what is tried in their place
_STARTUP = 10  # trials that TPE draws at random
_BEFORE_PRUNING = 4  # trials that are trained to their end before one is stopped early
_LOSS_SHARE = 1e-6  # of a loss in what Optuna compares: it decides between equal figures alone
_UNNAMED = timedelta(seconds=30)  # after which a trial that nobody has put a name to is nobody's
_STATES: Mapping[TrialState, Any] = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposedTrial:
    """One trial to do."""

    number: int
    settings: dict[str, Any]  # whole key -> value
    trial: optuna.Trial
    known: SearchTrial | None = None  # the same settings were tried before, and gave this


class Study:
    """A search's trials in a folder; several processes may hold the same one."""

    def __init__(self, folder: Path, *, new: Mapping[str, Any] | None = None) -> None:
        """Open it, or begin it with the facts `new`: space, how, pruner, seed, trials and whatever else is to be kept.

        Raises: SettingsError where there is none, or it is there already; StorageError.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        if new is None and not (folder / JOURNAL).is_file():
            raise SettingsError(
                f"{folder.parent} is no search: it has no {folder.name}/{JOURNAL}. Give the folder of a search."
            )
        storage, self._folder = open_journal(folder), folder
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if new is not None:
                self._study = optuna.create_study(storage=storage, study_name=_NAME, direction="maximize")
                self._study.set_user_attr(_TOLD, json.loads(json.dumps(new)))
            else:
                self._study = _loaded(storage, folder)
            self.told: Mapping[str, Any] = self._study.user_attrs[_TOLD]
            self._study.pruner = _pruner(self.told["pruner"])
        self.space: Space = space_of(self.told["space"])
        for key in self.told.get("whole", ()):
            one = self.space[key]
            if isinstance(one, TriedRange):
                self.space = {
                    **self.space,
                    key: TriedRange(low=one.low, high=one.high, logarithmic=one.logarithmic, whole=True, step=one.step),
                }
        self._alive = Alive(folder)

    def close(self) -> None:
        """This process is done with it."""
        self._alive.end()

    def plan(self, combinations: Sequence[Mapping[str, Any]]) -> None:
        """Let these be tried, in order, and nothing else where this is a grid."""
        for one in combinations:
            self._study.enqueue_trial({key: self._parameter(key, value) for key, value in one.items()})

    def ask(self) -> ProposedTrial | None:
        """The next trial; None where as many are done, or at work, as were asked for."""
        with one_at_a_time(self._folder):
            self._bury()
            trials = self._study.get_trials(deepcopy=False)
            begun = sum(one.state != TrialState.WAITING for one in trials) - len(self._buried)
            waiting = len(trials) > 0 and any(one.state == TrialState.WAITING for one in trials)
            if begun >= self.told["trials"] or (self.told["how"] == "grid" and not waiting):
                return None
            free = self.remembered(_FREE) or [begun]
            self._study.sampler = self._sampler(0 if waiting else free[0])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a value that stands outside of a range, as a given one may
                trial = self._study.ask()
                settings = {key: self._suggested(trial, key) for key in self.space}
            trial.set_user_attr("by", self._alive.name)
            number = self._numbered(trial, begun)
        return ProposedTrial(number=number, settings=settings, trial=trial, known=self.known(settings))

    def known(self, settings: Mapping[str, Any]) -> SearchTrial | None:
        """A trial of the same settings that is done."""
        return next((one for one in self.trials() if one.state == "done" and one.settings == settings), None)

    def stops(self, asked: ProposedTrial, epoch: int, rank: float) -> bool:
        """Tell how an epoch ranks, from 1 on, the higher the better; whether the trial should be stopped here."""
        asked.trial.report(rank, epoch)
        return bool(asked.trial.should_prune())

    def tell(self, asked: ProposedTrial, found: SearchTrial) -> None:
        """Keep what a trial has given."""
        facts = {
            "validation": found.validation,
            "loss": found.loss,
            "epochs": found.epochs,
            "seconds": round(found.seconds, 3),
        }
        for name, value in {**facts, "reason": found.reason, "planned": dict(found.planned)}.items():
            if value not in (None, "", {}):  # a figure of 0 is one
                asked.trial.set_user_attr(name, value)
        if found.state == "done" and found.validation is not None:
            self._study.tell(asked.trial, found.validation - _LOSS_SHARE * (found.loss or 0.0))
        else:
            self._study.tell(asked.trial, state=TrialState.PRUNED if found.state == "stopped" else TrialState.FAIL)

    def remember(self, name: str, value: Any) -> None:
        """Keep a fact of the search as a whole."""
        self._study.set_user_attr(name, value)

    def remembered(self, name: str) -> Any:
        """That fact; None where it is not known."""
        return self._study.user_attrs.get(name)

    def trials(self) -> list[SearchTrial]:
        """All that were begun, but for those whose process was killed, and which are tried again."""
        buried = self._buried
        found = [
            one for one in self._study.get_trials(deepcopy=False) if one.state in _STATES and one.number not in buried
        ]
        return sorted(map(self._told, found), key=lambda one: one.number)

    @property
    def at_work(self) -> bool:
        """Whether other processes are at work on trials."""
        return any(
            one.state == TrialState.RUNNING and self._has_owner(one) for one in self._study.get_trials(deepcopy=False)
        )

    @property
    def alone(self) -> bool:
        """Whether no other process has it open."""
        names = [path.name for path in self._folder.glob(f"{ALIVE}*")]
        return not any(name != self._alive.name and is_alive(self._folder, name) for name in names)

    def importance(self) -> dict[str, float]:
        """How much each setting makes of the difference between good trials and the others; empty where too few are done.

        Source: Watanabe, Bansal, Hutter 2023, PED-ANOVA, arXiv 2304.10255.
        """
        done = [one for one in self._study.get_trials(deepcopy=False) if one.state == TrialState.COMPLETE]
        if len(done) < 2 * _STARTUP or len(self.space) < 2:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            evaluator = optuna.importance.PedAnovaImportanceEvaluator()
            found = optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {key: float(share) for key, share in found.items()}

    @property
    def _buried(self) -> list[int]:
        """Numbers of trials whose process was killed."""
        return list(self.remembered(_BURIED) or [])

    def _numbered(self, trial: optuna.Trial, begun: int) -> int:
        """The number of a trial that is the next after so many: its own where it is tried again, else the first that is free."""
        if _NUMBER not in trial.user_attrs:
            free = list(self.remembered(_FREE) or [])
            trial.set_user_attr(_NUMBER, free.pop(0) if free else begun)
            self.remember(_FREE, free)
        return int(trial.user_attrs[_NUMBER])

    def _suggested(self, trial: optuna.Trial, key: str) -> Any:
        tried = self.space[key]
        if isinstance(tried, TriedValues):
            return tried.of(trial.suggest_categorical(key, tried.texts))
        step = {} if tried.step is None else {"step": tried.step}
        if tried.whole:
            return trial.suggest_int(
                key,
                int(tried.low),
                int(tried.high),
                log=tried.logarithmic,
                **{name: int(one) for name, one in step.items()},
            )
        return trial.suggest_float(key, tried.low, tried.high, log=tried.logarithmic, **step)

    def _parameter(self, key: str, value: Any) -> Any:
        return value_text(value) if isinstance(self.space[key], TriedValues) else value

    def _told(self, one: FrozenTrial) -> SearchTrial:
        facts, settings = one.user_attrs, {}
        for key, value in one.params.items():
            tried = self.space[key]
            settings[key] = tried.of(value)
        return SearchTrial(
            number=facts.get(_NUMBER, one.number),
            state=_STATES[one.state],
            settings=settings,
            validation=facts.get("validation"),
            loss=facts.get("loss"),
            epochs=facts.get("epochs"),
            seconds=facts.get("seconds", 0.0),
            reason=facts.get("reason", ""),
            planned=facts.get("planned", {}),
        )

    def _bury(self) -> None:
        """Trials whose process was killed are given up, and what they tried is tried again."""
        for one in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if self._has_owner(one):
                continue
            self.remember(_BURIED, [*self._buried, one.number])
            self._study.tell(one.number, state=TrialState.FAIL)
            number = one.user_attrs.get(_NUMBER)
            if set(one.params) == set(self.space):
                self._study.enqueue_trial(one.params, user_attrs={} if number is None else {_NUMBER: number})
            elif number is not None:
                self.remember(_FREE, [*(self.remembered(_FREE) or []), number])

    def _has_owner(self, one: FrozenTrial) -> bool:
        owner = one.user_attrs.get("by")
        if owner is None:  # it is being named, or was killed in that moment
            return one.datetime_start is not None and datetime.now() - one.datetime_start < _UNNAMED
        return owner == self._alive.name or is_alive(self._folder, owner)

    def _sampler(self, number: int) -> optuna.samplers.BaseSampler:
        seed = (self.told["seed"] * 1_000_003 + number) % 2**32
        if self.told["how"] == "tpe":
            return optuna.samplers.TPESampler(seed=seed, n_startup_trials=_STARTUP)
        return optuna.samplers.RandomSampler(seed=seed)


def _loaded(storage: Any, folder: Path) -> optuna.Study:
    try:
        study = optuna.load_study(storage=storage, study_name=_NAME)
    except (KeyError, ValueError):  # not yet begun, or the file holds something else
        study = None
    if study is None or _TOLD not in study.user_attrs:
        raise SettingsError(f"{folder / JOURNAL} holds no search that can be gone on with. Begin it anew.")
    return study


def _pruner(name: str) -> optuna.pruners.BasePruner:
    if name == "median":
        return optuna.pruners.MedianPruner(
            n_startup_trials=_BEFORE_PRUNING, n_warmup_steps=2
        )  # epochs count from 1, and a first one tells little
    if name == "halving":
        return optuna.pruners.SuccessiveHalvingPruner()
    return optuna.pruners.NopPruner()
