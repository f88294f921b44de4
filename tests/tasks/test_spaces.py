"""What a search tries where nothing is named. In: every task of the table. Out: spaces that its training takes."""

from __future__ import annotations

from typing import get_args

import pytest

from tellapart.bundle import TaskName
from tellapart.settings.space import combinations
from tellapart.settings.space_checking import checked_space
from tellapart.settings.tree import Strategy
from tellapart.tasks.table import TASKS


@pytest.mark.parametrize("strategy", get_args(Strategy))
@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.direct is None])
def test_every_usual_space_is_one_that_the_task_takes(name: TaskName, strategy: Strategy) -> None:
    task = TASKS[name]
    space = checked_space(task.space(strategy), {"data": "x", "strategy": strategy}, accept=task.prefer)
    assert len(space) >= 2
    count = combinations(space)
    assert count is None or count >= 9
