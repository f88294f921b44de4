"""Pictures made of two. In: ShrunkPictures, which two of them. Out: MixedPictures, a RowSource. Next: frozen.py.

What a teacher says of them is no echo of the labels that it has learned: it shows how it goes from one picture to the other.
Source: Beyer et al. 2022, arXiv 2106.05237, section 3 ("function matching"). Shapes: M mixed pictures, B rows, S side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.features.shrink import AugmentFunction, ShrunkPictures


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixes:
    """Which pictures are mixed, M pairs of rows, and how much of the first is in each."""

    first: NDArray[np.int64]  # [M]
    second: NDArray[np.int64]  # [M]
    share: NDArray[np.float32]  # [M], of the first, in [0, 1]

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MixedPictures:
    """Mixed pictures, varied anew in every epoch as others are. A source of batches for data/loading.py."""

    pictures: ShrunkPictures  # squares of `training_square`
    mixes: Mixes
    augment: AugmentFunction
    seed: int

    @property
    def problems(self) -> dict[int, str]:
        """None: they are made of pictures that can be read."""
        return {}

    def __len__(self) -> int:
        return len(self.mixes)

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.uint8]:
        """Variants uint8 [B, S, S, 3]; a function of seed, row and epoch alone. Raises: DataError, as `ShrunkPictures.read`."""
        both = (self.pictures.read(self.mixes.first[rows]), self.pictures.read(self.mixes.second[rows]))
        mixed = blend(*both, self.mixes.share[rows])
        return np.stack(
            [self.augment(one, (self.seed, row, epoch, 1)) for one, row in zip(mixed, rows.tolist(), strict=True)]
        )


def draw_mixes(rows: NDArray[np.int64], count: int, seed: int) -> Mixes:
    """`count` pairs of two of the `rows`, as many of each row as can be, and shares that are even over [0, 1]."""
    random = np.random.default_rng(seed)

    def shuffled() -> NDArray[np.int64]:
        return np.concatenate([random.permutation(rows) for _ in range(-(-count // len(rows)))])[:count]

    first, second = shuffled(), shuffled()
    return Mixes(first=first, second=second, share=random.random(count, dtype=np.float32))


def blend(first: NDArray[np.uint8], second: NDArray[np.uint8], share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Pictures uint8 [B, S, S, 3] of which `share` [B] is the first's, rounded."""
    weight = share.reshape(-1, *(1,) * (first.ndim - 1))
    mixed: NDArray[np.uint8] = np.rint(first * weight + second * (1 - weight)).astype(np.uint8)
    return mixed
