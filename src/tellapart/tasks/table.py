"""The tasks, as one table. In: a name. Out: Task. Next: classification/task.py."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tellapart.bundle import TaskName
from tellapart.errors import SettingsError
from tellapart.tasks.classification.task import CLASSIFICATION
from tellapart.tasks.detection.task import DETECTION
from tellapart.tasks.multilabel.task import MULTILABEL
from tellapart.tasks.segmentation.task import SEGMENTATION
from tellapart.tasks.task import Task
from tellapart.tasks.text.task import TEXT

TASKS: Mapping[TaskName, Task] = MappingProxyType(
    {task.name: task for task in (CLASSIFICATION, MULTILABEL, DETECTION, SEGMENTATION, TEXT)}
)


def task_of(name: TaskName) -> Task:
    """The task of that name. Raises: SettingsError for one that this tellapart cannot train."""
    if name not in TASKS:
        raise SettingsError(
            f"the task {name!r} cannot be trained yet: `tellapart check` audits its pictures, and that is all. The tasks "
            f"that are learned are {', '.join(TASKS)}; --task chooses one, where the data allow it."
        )
    return TASKS[name]
