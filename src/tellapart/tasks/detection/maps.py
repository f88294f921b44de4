"""What a frozen backbone makes of pictures with boxes, once a view. In: a detector, pictures. Out: MapViews. Next: finishing.py.

The maps that the pyramid is built on are kept side by side as one row a view, so that learning what stands on them costs a few
seconds an epoch. Shapes: N pictures, V views of each, B rows asked for, M boxes of the picture that has most, L numbers of a row:
those of the map at stride 8, then 16, then 32, each [C, H, W] in order.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tellapart.errors import ModelFileError
from tellapart.features.frozen import OUTPUT, CachedViews, cache_views
from tellapart.features.shrink import ShrunkPictures
from tellapart.models.tracing import trace
from tellapart.runtime import Session
from tellapart.tasks.detection.levels import StagedDetector
from tellapart.tasks.detection.pictures import BoxPictures

_HALF_LARGEST = 65504.0  # of float16


class _Maps(nn.Module):
    """uint8 [N, S, S, 3] -> float16 [N, L]."""

    def __init__(self, network: StagedDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        maps = [one.flatten(1) for one in self.network.maps(image)]
        return torch.cat(maps, dim=1).clamp(-_HALF_LARGEST, _HALF_LARGEST).half()


def export_maps(network: StagedDetector, *, folder: Path) -> tuple[Path, int]:
    """The backbone of `network` as ONNX, uint8 [N, S, S, 3] -> `activations` float16 [N, L], and L; kept in `folder`.

    Raises: BackboneError, StorageError.
    """
    below = hashlib.sha256(repr((network.size, network.levels, network.body.trunk)).encode()).hexdigest()[:8]
    path = folder / f"maps-{network.size}-{below}.onnx"
    if path.exists():
        with contextlib.suppress(ModelFileError):  # damaged: it is exported again
            shape = Session(path, source=f"the frozen maps in {path}").outputs[OUTPUT][1:]
            if len(shape) == 1 and isinstance(shape[0], int):
                return path, shape[0]
    (length,) = trace(_Maps(network), size=network.size, path=path, output=OUTPUT, name="detector's backbone")
    return path, length


@dataclass(frozen=True, slots=True, kw_only=True)
class MapViews:
    """Maps of some views of each picture, and the boxes of each view. A source of batches for data/loading.py."""

    maps: CachedViews
    pictures: BoxPictures  # what the views were made of

    @property
    def problems(self) -> dict[int, str]:
        """Row -> why it must not be asked for."""
        return self.maps.problems

    def __len__(self) -> int:
        return len(self.pictures)

    def get(self, rows: NDArray[np.int64], epoch: int) -> tuple[NDArray[np.float16], NDArray[np.float32]]:
        """Rows float16 [B, L], and their boxes float32 [B, M, 6]; each picture shows all its views in turn."""
        return self.maps.get(rows, epoch), self.pictures.boxes_of(rows, self.maps.order[rows, epoch % self.maps.views])


def map_views(
    pictures: BoxPictures,
    squares: ShrunkPictures,
    *,
    backbone: Path,
    length: int,
    views: int,
    folder: Path,
    limit_bytes: int,
    advance: Callable[[int], None] | None = None,
) -> MapViews:
    """Run the exported `backbone` over `views` variants of each of `pictures`, whose own `squares` are; kept in `folder`.

    Without augmentation there is one view. Raises: StorageError, ModelFileError.
    """
    maps = cache_views(
        squares,
        lower=backbone,
        shape=(length,),
        views=1 if pictures.augment is None else views,
        augment=pictures.augment,
        seed=pictures.seed,
        folder=folder,
        limit_bytes=limit_bytes,
        advance=advance,
    )
    return MapViews(maps=maps, pictures=pictures)
