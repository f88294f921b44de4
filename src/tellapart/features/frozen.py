"""What a network's frozen stages make of each picture, once a view. In: ShrunkPictures. Out: CachedViews. Next: models/staged.py.

Shapes: N pictures, K views of each, B batch, S side of the network's input, C H W one view's activations.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import PIL
from numpy.typing import NDArray

from tellapart.features.row_folder import open_rows, relatives
from tellapart.features.rows import Computed, RowStore, fill
from tellapart.features.shrink import AugmentFunction, ShrunkPictures
from tellapart.runtime import BATCH, Session, cores

Lower = Callable[[NDArray[np.uint8]], NDArray[np.float16]]  # [B, S, S, 3] -> [B, C, H, W]; from several threads

OUTPUT = "activations"
_VERSION = 1  # raise it when the same settings give other rows
_NOT_FINITE = "the frozen stages give no finite numbers for it"
# Source: SplitMix64 (Steele, Lea and Flood 2014), its constants and finaliser.
_GAMMA, _MIX_1, _MIX_2 = (np.uint64(value) for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedViews:
    """Activations of K views of each picture. A source of batches for data/loading.py; cheap to pickle."""

    pictures: ShrunkPictures
    views: int  # K
    problems: dict[int, str]  # row -> why there are none; such a row must not be asked for
    store: RowStore | None  # None where it did not fit: then every access computes
    order: NDArray[np.int64]  # [N, K]: the view that a picture shows in epoch 0, 1 ... K - 1
    maker: ViewMaker

    def __len__(self) -> int:
        return len(self.pictures)

    def get(self, rows: NDArray[np.int64], epoch: int) -> NDArray[np.float16]:
        """Activations float16 [B, C, H, W]: each picture shows all its views in turn, in an order of its own."""
        slots = self.pictures.slots[rows] * self.views + self.order[rows, epoch % self.views]
        if self.store is not None:
            activations: NDArray[np.float16] = self.store.read(slots)
            return activations
        step = self.maker.batch
        with ThreadPoolExecutor(self.maker.workers) as pool:
            parts = pool.map(self.maker.make, [slots[start : start + step] for start in range(0, len(slots), step)])
            return np.concatenate(list(parts))


class ViewMaker:
    """Makes views: square, augmentation, frozen stages. May be called from several threads, and pickled."""

    def __init__(
        self,
        pictures: ShrunkPictures,
        lower: Path | Lower,
        augment: AugmentFunction | None,
        *,
        views: int,
        seed: int,
        batch: int,
        workers: int,
    ) -> None:
        self._pictures, self._lower, self._augment = pictures, lower, augment
        self._views, self._seed = views, seed
        self.batch, self.workers = batch, workers
        self._run: Lower | None = None
        self._opening = threading.Lock()

    def make(self, slots: NDArray[np.int64]) -> NDArray[np.float16]:
        """Activations float16 [B, C, H, W], B at most `batch`, of the views `slots`: content times K, plus view."""
        contents, places = np.unique(slots // self._views, return_inverse=True)
        squares = self._pictures.read_contents(contents)
        if self._augment is None:
            images = squares[places]
        else:
            seeds, views = self._pictures.seeds[contents].tolist(), (slots % self._views).tolist()
            images = np.stack(
                [
                    self._augment(squares[place], (self._seed, seeds[place], view))
                    for place, view in zip(places.tolist(), views, strict=True)
                ]
            )
        # The network always gets whole batches: an engine may take another way through a smaller one, whose last
        # digits differ, and a store that goes on after a stop would no longer be the same.
        whole = np.concatenate([images, np.repeat(images[-1:], self.batch - len(images), axis=0)])
        return self._network()(whole)[: len(slots)]

    def compute(self, slots: list[int]) -> Computed:
        """The same for `rows.fill`."""
        activations = self.make(np.array(slots, dtype=np.int64))
        finite = [bool(np.isfinite(values).all()) for values in activations]
        return Computed(
            rows=[slot for slot, good in zip(slots, finite, strict=True) if good],
            values=activations[finite],
            problems={slot: _NOT_FINITE for slot, good in zip(slots, finite, strict=True) if not good},
        )

    def __reduce__(self) -> tuple[Any, ...]:
        # Neither the lock nor a session goes to another process, which opens the file anew.
        make: Any = functools.partial(
            ViewMaker, views=self._views, seed=self._seed, batch=self.batch, workers=self.workers
        )
        return make, (self._pictures, self._lower, self._augment)

    def _network(self) -> Lower:
        with self._opening:
            if self._run is None:
                self._run = _open(self._lower) if isinstance(self._lower, Path) else self._lower
            return self._run


def cache_views(
    pictures: ShrunkPictures,
    *,
    lower: Path | Lower,
    shape: Sequence[int],
    views: int,
    augment: AugmentFunction | None,
    seed: int,
    folder: Path,
    limit_bytes: int,
    fingerprint: str = "",
    batch: int = BATCH,
    workers: int | None = None,
    advance: Callable[[int], None] | None = None,
) -> CachedViews:
    """The output of the frozen stages for `views` variants of each picture, kept in the cache folder `folder`.

    `lower` is the ONNX file that `models.tracing.export_lower` writes, or a callable on another device, which then
    needs a `fingerprint` that names its weights and the device. `shape` is its [C, H, W]. With `augment` None
    (validation) the pictures pass as they are, in one view. Where the rows cannot fit `limit_bytes`, every access
    computes them. `advance` is told how many views are done, of len(pictures) * views. Ctrl-C and kill -9 leave a
    store that goes on. Raises: StorageError, ModelFileError.
    """
    if views < 1 or (augment is None and views != 1):
        raise ValueError(f"{views} views with augment {augment}: expected 1 or more, and 1 without augmentation.")
    if not isinstance(lower, Path) and not fingerprint:
        raise ValueError("a callable needs a fingerprint: without one, the rows of other weights would be taken.")
    maker = ViewMaker(pictures, lower, augment, views=views, seed=seed, batch=batch, workers=workers or cores())
    names = [pictures.pictures[row].content_hash for row in pictures.first]
    version = (_VERSION, PIL.__version__)
    parts = ("views", version, pictures.preprocessing.identity(), fingerprint, _identity(lower), views, augment, seed)
    settings = f"({', '.join(_told(part) for part in parts)})"
    store = open_rows(folder, settings, names, shape=shape, dtype=np.float16, limit_bytes=limit_bytes, parts=views)
    problems = dict(pictures.problems)
    if store is not None:
        problems.update(_fill(store, pictures, maker, views, advance))
    elif advance is not None:
        advance(len(pictures) * views)
    return CachedViews(
        pictures=pictures,
        views=views,
        problems=dict(sorted(problems.items())),
        store=store,
        order=view_order(pictures.seeds, views=views, seed=seed)[pictures.slots],
        maker=maker,
    )


def _fill(
    store: RowStore, pictures: ShrunkPictures, maker: ViewMaker, views: int, advance: Callable[[int], None] | None
) -> dict[int, str]:
    """Compute the views of every picture without a problem; row -> problem of those that turn out to have one."""
    usable = sorted({int(pictures.slots[row]) for row in range(len(pictures)) if row not in pictures.problems})
    wanted = [slot * views + view for slot in usable for view in range(views)]
    with relatives(store) as others:
        found = fill(
            store, wanted, maker.compute, unit=maker.batch, workers=maker.workers, others=others, advance=advance
        )
    if advance is not None and len(pictures) * views > len(wanted):
        advance(len(pictures) * views - len(wanted))  # copies, and pictures with a problem
    bad = {slot // views for slot in found}
    return {row: _NOT_FINITE for row, slot in enumerate(pictures.slots.tolist()) if slot in bad}


def view_order(numbers: NDArray[np.uint64], *, views: int, seed: int) -> NDArray[np.int64]:
    """A permutation of the views for each picture, int64 [N, K]; a function of seed and picture, not of its row."""
    start = _mix(numbers ^ _mix(np.array([seed], dtype=np.uint64)))
    keys_NK = _mix(start[:, None] + np.arange(1, views + 1, dtype=np.uint64)[None, :] * _GAMMA)
    return np.argsort(keys_NK, axis=1, kind="stable").astype(np.int64)


def _mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> np.uint64(30))) * _MIX_1
    values = (values ^ (values >> np.uint64(27))) * _MIX_2
    return values ^ (values >> np.uint64(31))


def _open(path: Path) -> Lower:
    session = Session(path, source=f"the frozen stages in {path}")

    def run(images: NDArray[np.uint8]) -> NDArray[np.float16]:
        (activations,) = session.run(images, [OUTPUT])
        return activations.astype(np.float16, copy=False)

    return run


def _told(part: object) -> str:
    """One part of the settings, as it has always been written: how pictures were made ready is told as the value's own fields."""
    if isinstance(part, dict):
        return f"Preprocessing({', '.join(f'{name}={value!r}' for name, value in part.items())})"
    return repr(part)


def _identity(lower: Path | Lower) -> str:
    if not isinstance(lower, Path):
        return "callable"
    return f"{hashlib.sha256(lower.read_bytes()).hexdigest()} onnxruntime {onnxruntime.__version__}"
