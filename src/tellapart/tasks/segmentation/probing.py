"""The pixel probe, fitted. In: crops, a ProbeNetwork. Out: its weights, found in seconds. Next: first.py.

Softmax regression on what a frozen encoder says of some pixels, to convergence (training/softmax_regression.py). A class that
covers little is then answered too often for most purposes, and one of the true shares too seldom: what stands between them is the
share of the way that gives the highest mean IoU on pixels of pictures that a fit has not seen.

Shapes: n pixels, D features, K classes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import DataError
from tellapart.tasks.segmentation.agreement import FIGURE, figures_of
from tellapart.tasks.segmentation.crops import Crops
from tellapart.tasks.segmentation.probe_network import ProbeNetwork
from tellapart.tasks.segmentation.sampled import FeatureFolder, SampledPixels, sample_pixels
from tellapart.training.probe import Probe, fit_probe

_STRENGTHS = (1e-1, 10**-1.5, 1e-2, 10**-2.5, 1e-3)
_FOLDS = 3
_WAYS = (0.0, 0.25, 0.5, 0.75, 1.0)  # from classes that are all alike to those of the true shares

_AS_GOOD = 0.01  # of mean IoU; less is noise, and classes that cover little are then rather found than missed


def fit_pixel_probe(
    network: ProbeNetwork,
    crops: Crops,
    *,
    seed: int,
    advance: Callable[[int], None],
    kept: FeatureFolder | None = None,
) -> dict[str, Any]:
    """Leave the fitted classifier in `network`, and tell how it went. `advance` is told of crops, as `sample_pixels` does.

    Raises: DataError where no pixel counts, or only one class occurs; StorageError.
    """
    pixels = sample_pixels(network, crops, seed=seed, advance=advance, kept=kept)
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
