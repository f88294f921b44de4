"""When to write checkpoints. In: the clock, what a save takes. Out: files by checkpoint.py. Next: loop.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from tellapart.training.checkpoint import Checkpoints

_SHARE = 0.05  # of an epoch's time at most goes into checkpoints within it


class Saver:
    """Writes checkpoints when asked and says when it is time for one; without Checkpoints it never is."""

    def __init__(
        self, checkpoints: Checkpoints | None, *, seconds: float, steps: int | None, now: Callable[[], float]
    ) -> None:
        """Within an epoch a save is due every `seconds`, later where saving is slow, or every `steps` updates."""
        self._checkpoints, self._seconds, self._steps, self._now = checkpoints, seconds, steps, now
        self._saved, self._took = now(), 0.0

    def is_time(self, step: int) -> bool:
        """Whether a save is due after `step` updates of an epoch."""
        if self._checkpoints is None:
            return False
        if self._steps is not None:
            return step % self._steps == 0
        return self._now() - self._saved >= max(self._seconds, self._took / _SHARE)

    def save(
        self, tensors: Mapping[str, Tensor], state: Mapping[str, Any], *, epoch: int, step: int, best_epoch: int
    ) -> None:
        """Save now. Raises: StorageError."""
        if self._checkpoints is not None:
            begun = self._now()
            self._checkpoints.save(tensors, state, epoch=epoch, step=step, best_epoch=best_epoch)
            self._saved = self._now()
            self._took = self._saved - begun

    def save_best(self, tensors: Mapping[str, Tensor], *, epoch: int) -> None:
        """Save the weights of the best epoch. Raises: StorageError."""
        if self._checkpoints is not None:
            self._checkpoints.save_best(tensors, epoch=epoch)
