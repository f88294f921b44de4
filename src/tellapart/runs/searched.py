"""A search as its run's report tells it. In: OpenRun. Out: SearchPart, or None. Next: search_record.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tellapart.evaluation.optimism import Optimism
from tellapart.reporting.search_figures import TriedAxis
from tellapart.reporting.search_section import SearchPart, TrialLine
from tellapart.runs.open import OpenRun
from tellapart.runs.search_record import SearchRecord, SearchTrial, read_search
from tellapart.settings.space import TriedValues, space_of, value_text

_LISTED, _FAILED = 12, 5  # trials in the table, and failures under it


def search_part(run: OpenRun) -> SearchPart | None:
    """What the run's search has found; None of a run without one. Raises: DataError where its record is damaged."""
    record = read_search(run.folder)
    if record is None:
        return None
    winner, done = record.winner, record.done
    test = run.manifest.scores.get(record.figure)
    validation = winner.validation or 0.0
    optimism = None
    if test is not None and done:
        optimism = Optimism(validation=validation, test=test, tries=len(done), n_validation=record.n_validation)
    failed = [one for one in record.trials if one.state == "failed"]
    stopped = sum(one.state == "stopped" for one in record.trials)
    return SearchPart(
        figure=record.figure,
        how=record.how,
        counts=(len(done), stopped, len(failed)),
        n_validation=record.n_validation,
        winner=_said(winner.settings),
        validation=validation,
        usual=None if record.usual is None else record.usual.validation,
        test=test,
        beyond_chance=optimism is not None and optimism.beyond_chance,
        history=[(one.number, one.validation or 0.0) for one in done],
        best=next((place for place, one in enumerate(done) if one.number == record.best), None),
        axes=_axes(record, done),
        importance=record.importance,
        lines=[_line(one) for one in sorted(done, key=lambda one: one.rank, reverse=True)[:_LISTED]],
        failures=[(one.number, one.reason) for one in failed[:_FAILED]],
    )


def _line(one: SearchTrial) -> TrialLine:
    return TrialLine(
        number=one.number,
        validation=one.validation or 0.0,
        loss=one.loss,
        epochs=one.epochs,
        settings=_said(one.settings),
    )


def _said(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value_text(value)}" for key, value in settings.items())


def _axes(record: SearchRecord, done: Sequence[SearchTrial]) -> list[TriedAxis]:
    """The settings that all of these trials have, as axes."""
    found = []
    for key, tried in space_of(record.space).items():
        if not all(key in one.settings for one in done):
            continue
        values = [one.settings[key] for one in done]
        if isinstance(tried, TriedValues):
            found.append(TriedAxis(name=key, values=[value_text(value) for value in values], words=tried.texts))
        else:
            found.append(TriedAxis(name=key, values=values, logarithmic=tried.logarithmic))
    return found
