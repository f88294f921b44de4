"""Looking at the pictures is within the budget, too. In: shades, a past start. Out: a refusal at once, or a Bench."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tellapart.features.cache import Cache
from tellapart.reporter import Silent
from tellapart.settings.reading import make_settings
from tellapart.workflows.searching.bench import set_up_in_time
from tellapart.workflows.searching.pace import BudgetTooShort


def test_a_look_that_takes_all_the_budget_is_ended(shades: Path, cache: Cache) -> None:
    settings = make_settings({"data": str(shades), "strategy": "probe"})
    words = r"the budget is 50\.0 s; looking at the pictures takes about 1 min 40 s or more here, which leaves no time"
    with pytest.raises(BudgetTooShort, match=words):
        set_up_in_time(settings, cache, Silent(), 50.0, time.monotonic() - 100.0)


def test_a_look_in_time_hands_the_reporter_on(shades: Path, cache: Cache) -> None:
    settings = make_settings({"data": str(shades), "strategy": "probe"})
    reporter = Silent()
    bench = set_up_in_time(settings, cache, reporter, 500.0, time.monotonic())
    assert bench.reporter is reporter
    assert len(bench.dataset.rows["train"]) == 36
