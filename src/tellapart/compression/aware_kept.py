"""What a stopped lesson of rounding goes on from. In: a folder. Out: LessonState. Next: straight_through.py."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tellapart.storage import storage_errors, write_bytes

_TOLD, _MOMENTS = "told", ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True, kw_only=True)
class LessonState:
    """A lesson after a whole epoch."""

    epochs: int  # that are done
    before: float  # the distance at the beginning
    best: float
    chance: Mapping[str, Any]  # of NumPy's generator
    weights: Mapping[str, Tensor]
    kept: Mapping[str, Tensor]  # those of the best epoch
    moments: Mapping[int, Mapping[str, Tensor]]  # of Adam, by the weight's number


class LessonFile:
    """The file of one lesson, called after all that the lesson depends on."""

    def __init__(self, folder: Path, depends_on: Sequence[bytes]) -> None:
        digest = hashlib.sha256()
        for one in depends_on:
            digest.update(hashlib.sha256(one).digest())
        self.path = folder / f"rounding-{digest.hexdigest()[:16]}.npz"

    def load(self) -> LessonState | None:
        """What an earlier process kept; None where there is nothing, or nothing whole. Raises: StorageError."""
        with storage_errors(self.path):
            if not self.path.is_file():
                return None
            try:
                with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                    return _state({name: file[name] for name in file.files})
            except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
                return None  # damaged: begun anew

    def save(self, state: LessonState) -> None:
        """Raises: StorageError."""
        told = {"epochs": state.epochs, "before": state.before, "best": state.best, "chance": state.chance}
        arrays = {_TOLD: np.array(json.dumps(told))}
        for kind, tensors in (("weights", state.weights), ("kept", state.kept)):
            arrays |= {f"{kind}/{name}": one.detach().numpy() for name, one in tensors.items()}
        for number, moments in state.moments.items():
            arrays |= {f"{name}/{number}": moments[name].numpy() for name in _MOMENTS}
        file = io.BytesIO()
        np.savez(file, **arrays)  # type: ignore[arg-type]
        write_bytes(self.path, file.getvalue())


def _state(arrays: Mapping[str, NDArray[Any]]) -> LessonState:
    told = json.loads(str(arrays[_TOLD]))
    parts: dict[str, dict[str, Tensor]] = {kind: {} for kind in ("weights", "kept", *_MOMENTS)}
    for name, array in arrays.items():
        kind, _, rest = name.partition("/")
        if kind in parts:
            parts[kind][rest] = torch.from_numpy(array)
    moments = {int(number): {kind: parts[kind][number] for kind in _MOMENTS} for number in parts[_MOMENTS[0]]}
    return LessonState(
        epochs=int(told["epochs"]),
        before=float(told["before"]),
        best=float(told["best"]),
        chance=told["chance"],
        weights=parts["weights"],
        kept=parts["kept"],
        moments=moments,
    )
