"""Which Answering each task has. In: nothing. Out: ANSWERINGS. Next: thresholds.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tellapart.answers.answering import Answering
from tellapart.answers.classification import Classification
from tellapart.answers.detection import Detection
from tellapart.answers.multilabel import Multilabel
from tellapart.answers.segmentation import Segmentation
from tellapart.answers.text import TextClassification

if TYPE_CHECKING:
    from tellapart.bundle import TaskName

BEFORE_TASKS: TaskName = "classification"  # what servers older than tasks have, and do not tell
ANSWERINGS: Mapping[TaskName, Answering[Any, Any]] = {
    "classification": Classification(),
    "multilabel": Multilabel(),
    "detection": Detection(),
    "segmentation": Segmentation(),
    "text": TextClassification(),
}
