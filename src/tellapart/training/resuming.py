"""Go on from the newest checkpoint. In: a training's parts, Checkpoints. Out: Position, the best weights. Next: saving.py."""

from __future__ import annotations

from torch import Tensor

from tellapart.errors import TrainingError
from tellapart.training.checkpoint import Checkpoints
from tellapart.training.state import Parts, Position
from tellapart.training.update import Updater


def resume(
    parts: Parts, updater: Updater, checkpoints: Checkpoints | None
) -> tuple[Position, dict[str, Tensor] | None]:
    """Make `parts` and `updater` what the newest checkpoint says, if there is one; where it stopped, and the best weights.

    Every process reads it. Raises: TrainingError, in all of them, where one cannot or sees another; StorageError.
    """
    devices, failure = updater.devices, None
    position, best = Position(), None
    try:
        position, best = _restore(parts, updater, checkpoints)
    except TrainingError as error:
        failure = error
    here = (float(position.epoch), float(position.step))
    troubled = devices.count(devices.agreed(*here) != here or failure is not None)  # all stop, or none
    if failure is not None:
        raise failure
    if troubled:
        raise TrainingError(
            f"{troubled} of {devices.world} processes cannot go on from the checkpoints that process 0 finds; all "
            "must read the same ones. Put the run into a folder that every machine shares."
        )
    return position, best


def _restore(
    parts: Parts, updater: Updater, checkpoints: Checkpoints | None
) -> tuple[Position, dict[str, Tensor] | None]:
    loaded = checkpoints.load() if checkpoints else None
    for message in checkpoints.messages if checkpoints else []:
        updater.report(message)
    if loaded is None:
        return Position(), None
    parts.restore(loaded.tensors, loaded.state)
    updater.chunk = loaded.state["chunk"]
    before, now = loaded.state["machine"], updater.devices.description
    if before != now:
        updater.report(
            f"begun with {before}, resumed with {now}: the result is as good, but not the same to the last bit."
        )
    return Position.restored(loaded.state["position"]), dict(loaded.best) if loaded.best else None
