"""Do two thumbnails show one picture? In: uint8 [N, 32, 32]. Out: Likeness, yes or no per pair. Next: copies.py.

How near two thumbnails are says little by itself: neighbouring solar cells or MRI slices lie nearer to each other than
a photograph to its own crop. What counts is the difference against the detail that only this picture has: what is
left of it without the template that all pictures of the set share (their mean and main directions).

All distances are lengths of differences between thumbnails that were brought to mean 0 and length 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tellapart.data.thumbnails import SIDE, Stack

Thumbnails = NDArray[np.uint8]  # [N, 32, 32], grey
Vectors = NDArray[np.float32]
Pairs = NDArray[np.int64]  # [P, 2], rows of the thumbnails

# Measured on ELPV, cats_dogs, sign_digits, brain_tumor, hotdog, raccoon and Fashion-MNIST: copies (JPEG 40-90, sizes
# 0.5-2, brightness, 2 % crops) stay below these, and pictures of different things begin above.
_OF_DETAIL = 0.22  # difference allowed, as a share of the picture's own detail
_AT_MOST = 0.12  # and in all, where the set is too varied to have a template
_FULL_DETAIL = 14.0  # grey levels; plainer pictures must agree better, in proportion
_LEAST_DETAIL = 1.0  # grey levels; below it rounding and noise are all there is
_UNKNOWN_DETAIL = 0.25  # share, where the set is too small to tell what its pictures share
_REACH = 5.0  # a 2 % crop moves a thumbnail this many tolerances away before the shift is undone

_SAMPLED = 1024  # pictures from which the sample is taken
_SAMPLE = 256
_SAMPLE_APART = 0.1  # a picture that is there a hundred times must not become the template
_SAMPLES_PER_DIRECTION = 16
_TEMPLATE_DIRECTIONS = 8
_SKETCH_WAVES = 72
_ITERATIONS = 20

_MARGIN = 2  # pixels at the rim that have no derivative
_ROWS_AT_ONCE = 4096
_PAIRS_AT_ONCE = 128  # what fits in a core's cache: three times quicker than 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What is needed to compare the pictures of one set."""

    thumbnails: Stack
    tolerance: Vectors  # [N] distance up to which two are one picture; 0: too plain to tell
    sketches: Vectors  # [N, D]; two sketches are never farther apart than their thumbnails


def measure_likeness(thumbnails: Stack) -> Likeness:
    """Learn what N pictures share from the first 1,024, and from that how nearly copies of each must agree.

    `thumbnails` is [N, 32, 32]. Sort the rows by content, so that the names of files do not decide the sample.
    """
    sample = _thinned(normalise(thumbnails[:_SAMPLED]))[:_SAMPLE]
    shared = min(_TEMPLATE_DIRECTIONS, len(sample) // _SAMPLES_PER_DIRECTION)
    mean = sample.mean(axis=0) if shared else np.zeros(SIDE * SIDE, dtype=np.float32)
    directions = _main_directions(sample - mean, shared) if shared else np.empty((0, SIDE * SIDE), dtype=np.float32)
    sketches, along, contrasts = _seen_once(thumbnails, directions, mean)
    own = np.full(len(thumbnails), _UNKNOWN_DETAIL, dtype=np.float32)
    if shared:
        # |x - mean|^2 = 1 - 2 x.mean + |mean|^2, as x has length 1
        squared = 1.0 - 2.0 * along[:, 0] + mean @ mean - ((along[:, 1:] - directions @ mean) ** 2).sum(axis=1)
        own = np.sqrt(np.maximum(0.0, squared))
    detail = own * contrasts
    tolerance = np.minimum(_AT_MOST, _OF_DETAIL * own * np.minimum(1.0, detail / _FULL_DETAIL))
    tolerance[detail < _LEAST_DETAIL] = 0.0
    return Likeness(thumbnails=thumbnails, tolerance=tolerance.astype(np.float32), sketches=sketches)


def within_reach(likeness: Likeness, pairs: Pairs) -> NDArray[np.float32]:
    """Distance of the sketches in tolerances, [P]; infinite where `same_picture` would surely say no."""
    distances = np.empty(len(pairs), dtype=np.float32)
    for start in range(0, len(pairs), _ROWS_AT_ONCE):
        left, right = pairs[start : start + _ROWS_AT_ONCE].T
        difference = likeness.sketches[left] - likeness.sketches[right]
        tolerance = np.minimum(likeness.tolerance[left], likeness.tolerance[right])
        length = np.sqrt(np.einsum("pd,pd->p", difference, difference))
        allowed = (tolerance > 0) & (length <= _REACH * tolerance)
        distances[start : start + _ROWS_AT_ONCE] = np.where(allowed, length / np.maximum(tolerance, 1e-9), np.inf)
    return distances


def same_picture(likeness: Likeness, pairs: Pairs) -> NDArray[np.bool_]:
    """Whether each pair is one picture, [P]: alike at once, or after a small shift, zoom and change of contrast."""
    answers = np.zeros(len(pairs), dtype=np.bool_)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        left, right = pairs[start : start + _PAIRS_AT_ONCE].T
        tolerance = np.minimum(likeness.tolerance[left], likeness.tolerance[right])
        first, second = normalise(likeness.thumbnails[left]), normalise(likeness.thumbnails[right])
        distance = np.linalg.norm(first - second, axis=1)
        same = (distance <= tolerance) & (tolerance > 0)
        unsure = np.flatnonzero(~same & (distance <= _REACH * tolerance))
        same[unsure] = _aligned_distance(first[unsure], second[unsure]) <= tolerance[unsure]
        answers[start : start + _PAIRS_AT_ONCE] = same
    return answers


def normalise(thumbnails: Thumbnails) -> Vectors:
    """Thumbnails as vectors of mean 0 and length 1, [N, 1024]; of one without contrast all is 0."""
    vectors = thumbnails.reshape(len(thumbnails), SIDE * SIDE).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    vectors /= np.maximum(np.sqrt(np.einsum("nx,nx->n", vectors, vectors)), 1e-6)[:, None]
    return vectors


def project(thumbnails: Stack, directions: Vectors) -> Vectors:
    """Coordinates [N, D] of normalised thumbnails along the directions [D, 1024]."""
    coordinates = np.empty((len(thumbnails), len(directions)), dtype=np.float32)
    for start in range(0, len(thumbnails), _ROWS_AT_ONCE):  # so that 60,000 take no 250 MB
        rows = normalise(thumbnails[start : start + _ROWS_AT_ONCE])
        coordinates[start : start + _ROWS_AT_ONCE] = rows @ directions.T
    return coordinates


def _seen_once(thumbnails: Stack, directions: Vectors, mean: Vectors) -> tuple[Vectors, Vectors, Vectors]:
    """What is needed of each of N thumbnails, which may lie on disk, so that they are read once.

    Coordinates along the slow waves [N, 72], along the mean and the directions [N, 1 + D], and their standard deviations in grey
    levels [N].
    """
    waves, shared = _slow_waves(_SKETCH_WAVES), np.concatenate([mean[None], directions])
    count = len(thumbnails)
    sketches, along = (np.empty((count, len(rows)), dtype=np.float32) for rows in (waves, shared))
    contrasts = np.empty(count, dtype=np.float32)
    for start in range(0, count, _ROWS_AT_ONCE):  # so that 60,000 take no 250 MB
        some = slice(start, start + _ROWS_AT_ONCE)
        pixels = thumbnails[some]
        rows = normalise(pixels)
        sketches[some], along[some] = rows @ waves.T, rows @ shared.T
        contrasts[some] = pixels.std(axis=(1, 2), dtype=np.float32)
    return sketches, along, contrasts


def _slow_waves(count: int) -> Vectors:
    """The two-dimensional cosines of lowest frequency, [count, 1024], as vectors of length 1; without the constant."""
    position = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    waves = np.cos(np.arange(SIDE)[:, None] * position)
    waves /= np.linalg.norm(waves, axis=1, keepdims=True)
    frequencies = sorted((u * u + v * v, u, v) for u in range(SIDE) for v in range(SIDE))[1 : count + 1]
    return np.array([np.outer(waves[u], waves[v]).ravel() for _, u, v in frequencies], dtype=np.float32)


def _main_directions(vectors: Vectors, count: int) -> Vectors:
    """The first principal directions, [count, 1024], of vectors with mean 0, by orthogonal iteration.

    Not by LAPACK: on busy cores its hundreds of short parallel steps take seconds instead of milliseconds.
    """
    products = vectors @ vectors.T
    weights = np.random.default_rng(0).normal(size=(count, len(vectors))).astype(np.float32)
    for _ in range(_ITERATIONS):
        weights = np.einsum("cn,nm->cm", weights, products)
        for row in range(count):
            weights[row] -= (weights[:row] @ weights[row]) @ weights[:row]
            weights[row] /= max(float(np.sqrt(weights[row] @ weights[row])), 1e-12)
    directions = weights @ vectors
    return np.asarray(directions / np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-6))


def _thinned(vectors: Vectors) -> Vectors:
    """Those vectors that are far from every earlier one that was kept."""
    near = vectors @ vectors.T > 1.0 - _SAMPLE_APART**2 / 2
    kept: list[int] = []
    for row in np.flatnonzero(near.diagonal()).tolist():  # one without contrast is not even near itself
        if not near[row, kept].any():
            kept.append(row)
    return vectors[kept]


def _aligned_distance(first: Vectors, second: Vectors) -> Vectors:
    """What is left of the distance after the best shift, zoom and change of contrast, [P].

    One least-squares step of Lucas and Kanade 1981, on the gradient of the mean of both, so that neither is preferred
    and the error of the linear step is of third order.
    """
    pairs = len(first)
    difference = (second - first).reshape(pairs, SIDE, SIDE)
    mean = (0.5 * (first + second)).reshape(pairs, SIDE, SIDE)
    inside = slice(_MARGIN, SIDE - _MARGIN)
    across, down = _derivative(mean)[:, inside], _derivative(mean.transpose(0, 2, 1)).transpose(0, 2, 1)[:, :, inside]
    position = (np.arange(SIDE, dtype=np.float32)[inside] - (SIDE - 1) / 2) / (SIDE / 2)
    inner = mean[:, inside, inside]
    columns = [np.ones_like(inner), inner, across, down, across * position, down * position[:, None]]
    columns.append(difference[:, inside, inside])
    matrix = np.stack(columns, axis=1).reshape(pairs, len(columns), inner.shape[1] ** 2)
    # Each column to length 1, or the pictures' own scale would decide how stable the solution is.
    lengths = np.sqrt(np.maximum(np.einsum("pcx,pcx->pc", matrix, matrix), 1e-18))[:, :, None]
    matrix /= lengths
    gram = (matrix @ matrix.transpose(0, 2, 1)).astype(np.float64)
    known, wanted = gram[:, :-1, :-1] + 1e-6 * np.eye(len(columns) - 1), gram[:, :-1, -1:]
    explained = (wanted * np.linalg.solve(known, wanted)).sum(axis=(1, 2))
    left = np.sqrt(np.maximum(0.0, 1.0 - explained)) * lengths[:, -1, 0]
    return np.asarray(left * (SIDE / inner.shape[1]), dtype=np.float32)


def _derivative(images: Vectors) -> Vectors:
    """Along the last axis, without two pixels at either end; the five-point rule, as thumbnails are barely smooth."""
    near, far = images[..., 3:-1] - images[..., 1:-3], images[..., 4:] - images[..., :-4]
    return np.asarray((8.0 * near - far) / 12.0, dtype=np.float32)
