"""Masks that look wrongly drawn. In: a mask as labelled, what a model says. Out: a quality, regions. Next: judging.py.

The quality of a picture's labels is a mean of how probable the model holds each pixel's label, in which the least probable
weigh most. A region is doubted where a model that has not seen the picture is sure of another class, away from borders, which
are never exact. H rows, W columns, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.mask_files import IGNORED
from tellapart.answers.mask_parts import find_parts

_TEMPERATURE = 0.1  # cleanlab's
_MARGIN = 3  # pixels from a border of the labels or of the answer, that are doubted only with others
_SURE = 0.8  # mean probability of the other class, from which on a region is worth a look
_LEAST_SHARE = 2e-4  # of the picture's pixels
_LEAST_PIXELS = 16
_MOST = 20  # regions of a picture
_PAIRS = 254  # of classes, that are looked at in one picture

Fault = Literal["missing", "surplus", "swapped"]
Values = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionDoubt:
    """A part of a picture whose label looks wrong."""

    fault: Fault  # missing: background where a thing is; surplus: a thing where background is; swapped: one for another
    label: int  # as it is
    suggested: int
    pixels: int
    certainty: float  # mean probability of the suggested class
    box: tuple[int, int, int, int]  # left, top, right, bottom in pixels of the picture

    @property
    def weight(self) -> float:
        """By which regions are ordered: many pixels and much certainty come first."""
        return self.certainty * float(np.sqrt(self.pixels))


def label_quality(own: NDArray[np.floating]) -> float:
    """The quality in [0, 1] of labels whose pixels' classes have the probabilities `own` [n], n above 0.

    A mean whose weights are softmax((1 - own) / 0.1). Source: Lad and Mueller 2023, Estimating label quality and errors in semantic
    segmentation data via any model, arXiv 2307.05080, section 3 (softmin).
    """
    scaled = (1.0 - np.asarray(own, dtype=np.float64)) / _TEMPERATURE
    weights = np.exp(scaled - scaled.max())
    return float((weights * own).sum() / weights.sum())


def own_probabilities(label: Values, mask: Values, certainty: Values, probabilities: Values | None) -> Values:
    """How probable the model holds each pixel's label, 255 for 1, of a picture [H, W]; `probabilities` [K, H, W] where they
    are kept.

    Else what is not the answer's shares the rest equally, which of two classes is exact.
    """
    if probabilities is not None:
        known = np.where(label == IGNORED, 0, label).astype(np.int64)
        return np.asarray(np.take_along_axis(probabilities, known[None], axis=0)[0])
    return np.where(label == mask, certainty, 255 - certainty).astype(np.uint8)


def doubt_regions(label: Values, mask: Values, certainty: Values, *, background: int | None) -> list[RegionDoubt]:
    """Regions of a picture [H, W] whose labels a model's mask and certainty speak against, the weightiest first, 20 at most."""
    differs = (label != mask) & (label != IGNORED)
    if not differs.any():
        return []
    pairs = label.astype(np.int64) * 256 + mask
    kinds, counts = np.unique(pairs[differs], return_counts=True)
    kinds = np.sort(kinds[np.argsort(-counts, kind="stable")[:_PAIRS]])
    numbers = np.where(differs & np.isin(pairs, kinds), np.searchsorted(kinds, pairs) + 1, 0).astype(np.uint8)
    found = sorted(_regions(numbers, kinds, _deep(label, mask), certainty, background), key=lambda one: -one.weight)
    return found[:_MOST]


def _regions(
    numbers: Values, kinds: NDArray[np.int64], deep: NDArray[np.bool_], certainty: Values, background: int | None
) -> Iterator[RegionDoubt]:
    parts = find_parts(numbers)
    of_pixel = parts.numbered(*numbers.shape).reshape(-1)
    count = len(parts.labels)
    within = np.bincount(of_pixel[deep.reshape(-1)], minlength=count)
    sums = np.bincount(of_pixel, weights=certainty.reshape(-1), minlength=count)
    least = max(_LEAST_PIXELS, round(_LEAST_SHARE * numbers.size))
    sure = sums / np.maximum(parts.sizes, 1) >= 255 * _SURE
    for part in np.flatnonzero((parts.labels > 0) & (within > 0) & (parts.sizes >= least) & sure).tolist():
        label, suggested = divmod(int(kinds[parts.labels[part] - 1]), 256)
        ys, xs = np.divmod(np.flatnonzero(of_pixel == part), numbers.shape[1])
        yield RegionDoubt(
            fault="missing" if label == background else "surplus" if suggested == background else "swapped",
            label=label,
            suggested=suggested,
            pixels=int(parts.sizes[part]),
            certainty=float(sums[part] / parts.sizes[part] / 255),
            box=(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1),
        )


def _deep(label: Values, mask: Values) -> NDArray[np.bool_]:
    """Pixels that are away from borders of both, by square windows."""
    deep = np.ones(label.shape, dtype=np.bool_)
    for values in (label, mask):
        across = np.zeros(values.shape, dtype=np.bool_)
        across[:, 1:] |= values[:, 1:] != values[:, :-1]
        across[:, :-1] |= values[:, 1:] != values[:, :-1]
        across[1:] |= values[1:] != values[:-1]
        across[:-1] |= values[1:] != values[:-1]
        for axis in (0, 1):
            across = _widened(across, axis)
        deep &= ~across
    return deep


def _widened(flags: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Flags and those beside them along an axis, as far as the margin."""
    wide = flags.copy()
    for step in range(1, _MARGIN):
        ahead = [slice(None)] * 2
        behind = [slice(None)] * 2
        ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
        wide[tuple(ahead)] |= flags[tuple(behind)]
        wide[tuple(behind)] |= flags[tuple(ahead)]
    return wide
