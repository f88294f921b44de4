"""What a frozen encoder says of some pixels, computed once. In: crops, a ProbeNetwork. Out: SampledPixels. Next: probing.py.

Of each crop that is looked at, some pixels of every class that it shows, as many as of any other. What the encoder's maps say of
them is kept in the cache, a row a crop: a later training on the same pictures, masks and encoder reads it there, one that was
stopped goes on, and pictures that were added cost what they cost alone.

Shapes: n pixels, P of a crop at most, D features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from numpy.typing import NDArray

from tellapart.data.targets import IGNORED
from tellapart.errors import DataError
from tellapart.features.row_folder import open_rows, relatives
from tellapart.features.rows import Computed, RowStore, fill
from tellapart.tasks.segmentation.crops import Crops
from tellapart.tasks.segmentation.probe_network import ProbeNetwork

_MOST_PIXELS = 60_000
_MOST_NUMBERS = 80_000_000  # pixels x features: a third of a gigabyte, half of that in the cache
_MOST_CROPS = 240
_MOST_A_CROP = 1200
_HALF_LARGEST = 65504.0  # of float16
_DRAWN = 3  # beside seed, picture and turn: what is drawn for one thing is not what another depends on
_VERSION = 1  # raise it when the same pixels get other features


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFolder:
    """Where features are kept."""

    folder: Path  # of the cache
    limit_bytes: int
    encoder: str  # names the encoder and its weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledPixels:
    """What is known of some pixels."""

    features: NDArray[np.float32]  # [n, D], as exact as float16
    labels: NDArray[np.int64]  # [n]
    groups: NDArray[np.int64]  # [n], the picture that each is of, from 1
    counts: NDArray[np.float64]  # [n], for how many pixels of its class in its crop it stands


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Drawn:
    """The pixels that one crop gives."""

    row: int  # of the crop
    places: NDArray[np.int64]  # [n, 2], rows and columns in it
    labels: NDArray[np.int64]  # [n]
    counts: NDArray[np.float64]  # [n]


def chosen_rows(crops: Crops, *, seed: int) -> NDArray[np.int64]:
    """The rows of the crops that are looked at, drawn where there are more than are needed."""
    order = np.random.default_rng(seed).permutation(len(crops))
    return np.sort(order[:_MOST_CROPS])


def sample_pixels(
    network: ProbeNetwork, crops: Crops, *, seed: int, advance: Callable[[int], None], kept: FeatureFolder | None = None
) -> SampledPixels:
    """Pixels of the chosen crops, of each class that a crop shows as many; `advance` is told of crops, as many as are chosen.

    Features come from `kept` where they are there, and go there where there is room. Raises: DataError where no pixel counts;
    StorageError.
    """
    rows = chosen_rows(crops, seed=seed)
    most = min(_MOST_PIXELS, _MOST_NUMBERS // network.probe.features)
    each = max(network.class_count, min(_MOST_A_CROP, most // len(rows)))
    drawn = [one for one in _draw(crops, rows, each, seed) if len(one.places)]
    if not drawn:
        raise DataError(
            "no pixel of the training pictures counts; 1 must. Mend the masks, or what --ignore-label says."
        )
    advance(len(rows) - len(drawn))
    look = _Look(network, crops, drawn, each)
    store = None if kept is None else _kept_rows(kept, look)
    if store is not None:
        with relatives(store) as others:
            fill(store, range(len(drawn)), look.compute, unit=1, workers=1, others=others, advance=advance)
    ends = np.cumsum([0, *(len(one.places) for one in drawn)])
    features = np.empty((ends[-1], network.probe.features), dtype=np.float32)
    for number, one in enumerate(drawn):
        found = look(number) if store is None else store.read([number])[0]
        features[ends[number] : ends[number + 1]] = found[: len(one.places)]
        if store is None:
            advance(1)
    if store is not None:
        store.close()
    return SampledPixels(
        features=features,
        labels=np.concatenate([one.labels for one in drawn]),
        groups=np.concatenate([np.full(len(one.places), crops.origin[one.row] + 1) for one in drawn]),
        counts=np.concatenate([one.counts for one in drawn]),
    )


class _Look:
    """What the encoder says of the drawn pixels of one crop after another."""

    def __init__(self, network: ProbeNetwork, crops: Crops, drawn: list[_Drawn], each: int) -> None:
        self.network, self.crops, self.drawn, self.each = network, crops, drawn, each
        self.device = next(network.parameters()).device

    def __call__(self, number: int) -> NDArray[np.float16]:
        """Of the pixels of `drawn[number]`, [P, D]; 0 where it has fewer."""
        one = self.drawn[number]
        pictures, _ = self.crops.get(np.array([one.row]), 0)
        with torch.inference_mode():
            maps = [part.cpu() for part in self.network.maps(torch.from_numpy(pictures).to(self.device))]
            found = self.network.probe.sample(maps, one.places)
        whole = np.zeros((self.each, found.shape[1]), dtype=np.float16)
        whole[: len(found)] = np.clip(found, -_HALF_LARGEST, _HALF_LARGEST)
        return whole

    def compute(self, numbers: list[int]) -> Computed:
        """The same for `rows.fill`."""
        return Computed(rows=numbers, values=np.stack([self(number) for number in numbers]), problems={})

    def names(self) -> Iterator[str]:
        """What each row of features depends on besides settings: the picture, where the crop lies in it, which pixels."""
        for one in self.drawn:
            picture = self.crops.pictures.pictures[int(self.crops.origin[one.row])].content_hash
            corner = self.crops.corners[one.row].tolist()
            places = hashlib.sha256(one.places.tobytes()).hexdigest()
            yield hashlib.sha256(f"{picture} {corner} {places}".encode()).hexdigest()


def _kept_rows(kept: FeatureFolder, look: _Look) -> RowStore | None:
    """The store of these pixels' features; None where there is no room for it."""
    network, pictures = look.network, look.crops.pictures
    parts: tuple[Any, ...] = (
        _VERSION,
        PIL.__version__,
        torch.__version__,
        look.device.type,
        kept.encoder,
        network.probe.sizes,
        look.crops.size,
        pictures.preprocessing.identity(),
    )
    return open_rows(
        kept.folder,
        f"pixels {parts!r}",
        list(look.names()),
        shape=(look.each, network.probe.features),
        dtype=np.float16,
        limit_bytes=kept.limit_bytes,
    )


def _draw(crops: Crops, rows: NDArray[np.int64], each: int, seed: int) -> Iterator[_Drawn]:
    """By the content of each picture, not by its place among the others: one more picture changes nothing for the rest."""
    for row in rows.tolist():
        picture, turn = crops.pictures.numbers[int(crops.origin[row])], int(crops.turn[row])
        _, masks = crops.get(np.array([row]), 0)
        places, labels, counts = drawn_places(masks[0], each, np.random.default_rng((seed, picture, turn, _DRAWN)))
        yield _Drawn(row=row, places=places, labels=labels, counts=counts)


def drawn_places(
    mask: NDArray[np.uint8], most: int, chance: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows and columns [n, 2] of at most `most` pixels of a mask, as many of each class as of another where it has them; their
    classes [n], and for how many pixels each stands [n].
    """
    flat = mask.reshape(-1)
    shown = np.flatnonzero(np.bincount(flat, minlength=256)[:IGNORED])
    places, numbers, stand = [], [], []
    for number in shown.tolist():
        own = np.flatnonzero(flat == number)
        drawn = chance.choice(own, min(len(own), max(1, most // len(shown))), replace=False)
        places.append(drawn)
        numbers.append(np.full(len(drawn), number))
        stand.append(np.full(len(drawn), len(own) / len(drawn)))
    if not places:
        return np.empty((0, 2), np.int64), np.empty(0, np.int64), np.empty(0)
    whole = np.stack(np.unravel_index(np.concatenate(places), mask.shape), axis=1).astype(np.int64)
    return whole, np.concatenate(numbers).astype(np.int64), np.concatenate(stand)
