"""What the pictures of a set share, to be left out when two of them are compared. In: reliefs. Out: Template. Next: same_scene.py.

Cells of one module, slices of one kind of scan, parts before one camera: what is alike in all of them says nothing about two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

Relief = NDArray[np.uint8]

_GRID = 32  # pixels
_SAMPLE = 512  # pictures
_DIRECTIONS = 24
_TAKEN_ALIKE = 0.15  # share; photographs have less than 0.02 in common
_FOR_EACH = 16  # pictures, at least, for a direction: a few pictures must not take each other for what all share


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Template:
    """The mean and the main directions of the reliefs of a set, brought to one square."""

    parts: NDArray[np.float32]  # [D, 32, 32], none for a small set
    common: float = 0.0  # the mean's share of what there is to see in a picture, in 0..1
    fitted: dict[tuple[int, ...], NDArray[np.float32]] = field(default_factory=dict, repr=False)

    @property
    def taken_alike(self) -> bool:
        """Whether these are things of one kind before one camera: solar cells have 0.58 in common, hand signs 0.27, slices 0.04."""
        return self.common >= _TAKEN_ALIKE

    def columns(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A constant and the parts, each brought to that shape [H * W, 1 + D]; made once for each shape."""
        found = self.fitted.get(shape)
        if found is None:
            height, width = shape
            parts = [cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR).ravel() for part in self.parts]
            found = np.stack([np.ones(height * width, dtype=np.float32), *parts], axis=1)
            self.fitted[shape] = found / np.maximum(np.sqrt(np.einsum("nd,nd->d", found, found)), np.float32(1e-9))
        return self.fitted[shape]


NOTHING = Template(parts=np.zeros((0, _GRID, _GRID), dtype=np.float32))


def find_template(reliefs: Sequence[Relief]) -> Template:
    """Learn what the reliefs (of any shape) share, from up to 512 of them; sort them by content first."""
    chosen = [relief for relief in reliefs if relief.size]
    chosen = chosen[:: -(-len(chosen) // _SAMPLE)] if chosen else []
    directions = min(_DIRECTIONS, len(chosen) // _FOR_EACH)
    if not directions:
        return NOTHING
    squares = [cv2.resize(relief, (_GRID, _GRID), interpolation=cv2.INTER_AREA) for relief in chosen]
    values = np.stack(squares).reshape(len(chosen), -1).astype(np.float32) - 128.0
    mean = values.mean(axis=0)
    main = _main_directions(values - mean, directions - 1)
    parts = np.concatenate([mean[None], main * np.float32(_GRID)])
    # The mean of n strangers has an n-th of their square, which says nothing.
    common = float((mean**2).sum()) / max(1e-9, float((values**2).sum(axis=1).mean())) - 1.0 / len(chosen)
    return Template(parts=parts.reshape(-1, _GRID, _GRID), common=max(0.0, common))


def own_detail(pictures: Sequence[Relief], shown: NDArray[np.bool_], template: Template) -> list[NDArray[np.float64]]:
    """Of reliefs [H, W] that lie on each other: what of them is `shown` [H, W], [n], without the mean and the template."""
    values = np.stack([picture[shown] for picture in pictures], axis=1).astype(np.float32) - np.float32(128.0)
    if not len(template.parts):
        return list((values - values.mean(axis=0)).T.astype(np.float64))
    matrix = template.columns(shown.shape)[shown.ravel()]
    gram = (matrix.T @ matrix).astype(np.float64) + 1e-6 * np.eye(matrix.shape[1])
    along = np.linalg.solve(gram, (matrix.T @ values).astype(np.float64)).astype(np.float32)
    return list((values - matrix @ along).T.astype(np.float64))


def _main_directions(values: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    """The first principal directions [number, X], of length 1, of N centred rows [N, X]; a fifth of the time of all N of them."""
    _, weights = np.linalg.eigh((values @ values.T).astype(np.float64))
    directions = weights[:, ::-1][:, :number].T.astype(np.float32) @ values
    lengths = np.sqrt(np.einsum("nx,nx->n", directions, directions))
    return np.asarray(directions / np.maximum(lengths, 1e-6)[:, None], dtype=np.float32)
