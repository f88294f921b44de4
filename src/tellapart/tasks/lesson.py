"""What a task makes its learner of. In: nothing. Out: Lesson. Next: classification/learner.py."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.loading import RowSource
from tellapart.models.trainable import Trainable
from tellapart.settings.tree import LoopSettings


class Lesson(Protocol):
    """One training as a task sees it; workflows/learning/job.py's Job is one. N rows of a source, K classes."""

    @property
    def class_count(self) -> int:
        """K, of the data set."""
        ...

    @property
    def network(self) -> Trainable:
        """What is trained."""
        ...

    @property
    def start(self) -> int:
        """The network's stage that the sources' rows go into; 0: they are pictures."""
        ...

    @property
    def size(self) -> int:
        """Pixels, S, the side of the network's input."""
        ...

    @property
    def loop(self) -> LoopSettings:
        """The loss and what belongs to it."""
        ...

    @property
    def balanced(self) -> bool:
        """Whether rare classes count as much as common ones in the loss."""
        ...

    @property
    def mixup(self) -> float:
        """Alpha of its Beta distribution; 0: off."""
        ...

    @property
    def cutmix(self) -> float:
        """Alpha of its Beta distribution; 0: off."""
        ...

    @property
    def train_targets(self) -> NDArray[Any]:
        """Of all rows of the source that is trained on, [N, ...]."""
        ...

    @property
    def train_rows(self) -> NDArray[np.int64]:
        """Those of them that are used, int64 [n]."""
        ...

    @property
    def validation(self) -> RowSource:
        """What epochs are judged on."""
        ...

    @property
    def validation_targets(self) -> NDArray[Any]:
        """Of all of its rows, [N, ...]."""
        ...

    @property
    def validation_rows(self) -> NDArray[np.int64]:
        """Those of them that are used, int64 [n]."""
        ...
