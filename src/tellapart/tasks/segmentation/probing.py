"""The pixel probe, fitted. In: crops, a ProbeNetwork. Out: its weights, found in seconds. Next: first.py.

Some pixels of each crop, of every class that it shows as many as of any other, with what a frozen encoder says of them; softmax
regression on these, to convergence (training/softmax_regression.py). A class that covers little is then answered too often for
most purposes, and one of the true shares too seldom: what stands between them is the share of the way that gives the highest mean
IoU on pixels of pictures that a fit has not seen.

Shapes: n pixels, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.data.targets import IGNORED
from tellapart.errors import DataError
from tellapart.tasks.segmentation.agreement import FIGURE, figures_of
from tellapart.tasks.segmentation.crops import Crops
from tellapart.tasks.segmentation.probe_network import ProbeNetwork
from tellapart.training.probe import Probe, fit_probe

_MOST_PIXELS = 60_000
_MOST_NUMBERS = 80_000_000  # pixels x features: a third of a gigabyte
_MOST_CROPS = 240
_MOST_A_CROP = 1200
_STRENGTHS = (1e-1, 10**-1.5, 1e-2, 10**-2.5, 1e-3)
_FOLDS = 3
_WAYS = (0.0, 0.25, 0.5, 0.75, 1.0)  # from classes that are all alike to those of the true shares

_AS_GOOD = 0.01  # of mean IoU; less is noise, and classes that cover little are then rather found than missed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampledPixels:
    """What is known of some pixels."""

    features: NDArray[np.float32]  # [n, D]
    labels: NDArray[np.int64]  # [n]
    groups: NDArray[np.int64]  # [n], the picture that each is of, from 1
    counts: NDArray[np.float64]  # [n], for how many pixels of its class in its crop it stands


def fit_pixel_probe(
    network: ProbeNetwork, crops: Crops, *, seed: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Leave the fitted classifier in `network`, and tell how it went. `advance` is told of crops, `fit_steps` of them.

    Raises: DataError where no pixel counts, or only one class occurs.
    """
    pixels = sample_pixels(network, crops, seed=seed, advance=advance)
    _check(pixels, network.class_count)
    there = np.unique(pixels.labels)
    numbers = np.searchsorted(there, pixels.labels)
    probe = fit_probe(
        pixels.features,
        numbers,
        groups=pixels.groups,
        class_count=len(there),
        strengths=_STRENGTHS,
        folds=_FOLDS,
        seed=seed,
    )
    priors = _log_shares(numbers, pixels.counts, len(there))
    way = best_way(probe, numbers, pixels.counts, priors)
    weight = np.zeros((network.class_count, pixels.features.shape[1]), dtype=np.float32)
    bias = np.full(network.class_count, -20.0, dtype=np.float32)  # of a class that no pixel has
    weight[there], bias[there] = probe.weight, probe.bias + way * priors
    network.probe.set_weights(weight, bias)
    return {
        "pixels": len(numbers),
        "features": pixels.features.shape[1],
        "strength": probe.strength,
        "towards_true_shares": way,
        "converged": probe.converged,
    }


def chosen_rows(crops: Crops, *, seed: int) -> NDArray[np.int64]:
    """The rows of the crops that are looked at, drawn where there are more than are needed."""
    order = np.random.default_rng(seed).permutation(len(crops))
    return np.sort(order[:_MOST_CROPS])


@torch.inference_mode()
def sample_pixels(network: ProbeNetwork, crops: Crops, *, seed: int, advance: Callable[[int], None]) -> SampledPixels:
    """Pixels of the chosen crops, of each class that a crop shows as many; `advance(1)` follows each crop."""
    rows = chosen_rows(crops, seed=seed)
    most = min(_MOST_PIXELS, _MOST_NUMBERS // network.probe.features)
    each = max(network.class_count, min(_MOST_A_CROP, most // len(rows)))
    device = next(network.parameters()).device
    features, labels, groups, counts = [], [], [], []
    for row in rows.tolist():
        pictures, masks = crops.get(np.array([row]), 0)
        places, numbers, stand = drawn_places(masks[0], each, np.random.default_rng((seed, row)))
        if len(places):
            maps = [one.cpu() for one in network.maps(torch.from_numpy(pictures).to(device))]
            features.append(network.probe.sample(maps, places))
            labels.append(numbers)
            groups.append(np.full(len(places), crops.origin[row] + 1))
            counts.append(stand)
        advance(1)
    if not features:
        raise DataError(
            "no pixel of the training pictures counts; 1 must. Mend the masks, or what --ignore-label says."
        )
    return SampledPixels(
        features=np.concatenate(features),
        labels=np.concatenate(labels),
        groups=np.concatenate(groups),
        counts=np.concatenate(counts),
    )


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


def best_way(
    probe: Probe, labels: NDArray[np.int64], counts: NDArray[np.float64], priors: NDArray[np.float64]
) -> float:
    """The smallest share of the way to the true shares whose mean IoU, of pixels held out, is as good as the best's."""
    if probe.held_out is None:
        return _WAYS[1]
    known = ~np.isnan(probe.held_out).any(axis=1)
    logits, truth, weight = probe.held_out[known], labels[known], counts[known]
    figures = {}
    for way in _WAYS:
        said = (logits + way * priors).argmax(1)
        size = len(priors)
        matrix = np.bincount(truth * size + said, weights=weight, minlength=size * size).reshape(size, size)
        figures[way] = figures_of(matrix)[FIGURE]
    return next(way for way in _WAYS if figures[way] > max(figures.values()) - _AS_GOOD)


def _log_shares(labels: NDArray[np.int64], counts: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """How much more pixels each class really has than were drawn of it, as a logarithm, [K]."""
    drawn = np.bincount(labels, minlength=classes)
    true = np.bincount(labels, weights=counts, minlength=classes)
    return np.asarray(np.log(true / true.sum()) - np.log(drawn / drawn.sum()))


def _check(pixels: SampledPixels, class_count: int) -> None:
    found = np.unique(pixels.labels)
    if len(found) < 2:
        raise DataError(
            f"the pixels that count in the training pictures are all of class number {int(found[0])} of {class_count} (counted "
            "from 0); there must be 2 classes. Add masks that show another class."
        )
