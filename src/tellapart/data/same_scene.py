"""Do two pictures show one scene, moved? In: Landmarks. Out: Placement or None. Next: augmented.py.

An affine map that many landmarks agree on, and along which the two evened pictures correlate where they overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tellapart.data.aligning import refine
from tellapart.data.landmarks import RELIEF, SIDE, Landmarks
from tellapart.data.template import NOTHING, Template, own_detail

_SURER = 0.87  # times as many bits may differ as to the second best
_MOST_BITS = 72
_LEAST_SHARED = 12  # landmarks
_MANY_SHARED = 36  # pairs of different hands or cells reached 35
_LEAST_IN_HALF = 4  # of them, in one half of the landmarks
_AGREE = 32  # 256ths of a turn
_BEFORE, _AFTER = np.arange(-1, 15), (np.arange(1, 17) % 16)  # of the 16 parts of a turn
_WITHIN = 4.0  # pixels at SIDE
_LEAST_STRETCH, _MOST_STRETCH = 0.5, 2.0
_MOST_UNEVEN = 1.7  # largest over smallest stretch
_LEAST_OVERLAP = 0.25  # of one of the two
_WHOLE = 0.97  # share
# Correlations. Measured on cats_dogs, hotdog, sign_digits, brain_tumor, raccoon, bccd, membrane and ELPV, docs/results.md.
LEAST_LIKE = 0.55  # where the best of the overlap agrees well
_MANY_LIKE = 0.6  # where very many landmarks agree on a turn
_TURNED_LIKE = 0.65
_UPRIGHT_LIKE = 0.69
_NEAR_LIKE = 0.72
_BEST = 0.8  # share of the overlap; noise, holes and what the evening smears about them are left out
_BEST_OVER = (5, 5)  # pixels of a relief
_AGREE_MOVED, _AGREE_NEAR = 0.83, 0.9  # over the best; strangers that lie elsewhere reached 0.81, and in place 0.89
_WORTH_REFINING = 0.4  # of 469 copies, first halves, two were below before their map was refined
_REFINED = ((4, 0.45), (8, 0.6))  # iterations, and what must have come of them by then
_DETAIL = 400.0  # squared grey levels of a Sobel filter
_MUCH_DETAIL, _FOR_DETAIL = 0.7, 1.0  # share; correlation asked for on top, for each share that is missing
_IN_PLACE, _NEAR = 8.0, 20.0  # pixels at SIDE
_LEAST_PIXELS = 200  # of a relief


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How two pictures lie on each other."""

    shared: int  # landmarks
    likeness: float  # correlation over the overlap without what the set shares, in -1..1
    agreement: float  # the same over the best four fifths of the overlap
    first: float  # share of the first picture that lies in the second, in 0..1
    second: float  # share of the second that the first covers
    detail: float  # share of the richer picture that has detail in both directions
    turns: int  # quarter turns clockwise that bring the first (mirrored, where it was) nearest to the second
    off: float  # pixels at SIDE by which its corners then miss those of the second


def measure_overlap(first: Landmarks, second: Landmarks, template: Template, *, mirrored: bool) -> Overlap | None:
    """Where the first picture (or its mirror image) lies in the second; None where no plausible map is found."""
    found = _find_map(first, second, mirrored=mirrored)
    if found is None:
        return None
    matrix, shared = found
    relief = np.ascontiguousarray(first.relief[:, ::-1]) if mirrored else first.relief
    likeness, _, covered = _likeness(relief, second.relief, matrix, NOTHING)
    if likeness < _WORTH_REFINING:
        return None
    for iterations, worth in _REFINED:
        better = refine(relief, second.relief, matrix, iterations=iterations)
        if better is not None and _plausible(better):
            refined, _, shown = _likeness(relief, second.relief, better, NOTHING)
            if refined > likeness:
                matrix, likeness, covered = better, refined, shown
        if likeness < worth:
            return None
    area = second.relief.size / first.relief.size / float(np.linalg.det(matrix[:, :2]))
    # Seen from either: what the set shares stands as usual in one of them at least.
    likeness, agreement, _ = _likeness(relief, second.relief, matrix, template, best=True)
    if likeness >= LEAST_LIKE:
        back = np.asarray(cv2.invertAffineTransform(matrix), dtype=np.float64)
        other, agreeing, _ = _likeness(second.relief, relief, back, template, best=True)
        likeness, agreement = min(likeness, other), min(agreement, agreeing)
    detail = max(untouched(first), untouched(second)) if likeness >= LEAST_LIKE else 0.0
    turns, off = _pose(relief.shape, second.relief.shape, matrix)
    return Overlap(
        shared=shared,
        likeness=likeness,
        agreement=agreement,
        detail=detail,
        first=min(1.0, covered * area),
        second=covered,
        turns=turns,
        off=off,
    )


def in_place(overlap: Overlap) -> bool:
    """Whether the two lie exactly on each other, perhaps turned and mirrored as a whole."""
    return overlap.off < _IN_PLACE


def same_scene(overlap: Overlap, *, mirrored: bool) -> bool:
    """Whether one of two pictures is a moved, turned, cropped, sheared, mirrored or recoloured copy of the other.

    The nearer two lie to one pose, the more is asked for: things of one kind are often taken alike, but seldom upside down. So it
    is where there is little to see: two strokes or blots are alike under some affine map, whoever made them. Where very many
    landmarks agree on a turn, or the best of the overlap agrees well elsewhere than in place, noise, blur and holes may take
    from the likeness.
    """
    if max(overlap.first, overlap.second) < _LEAST_OVERLAP or overlap.shared < _LEAST_SHARED:
        return False
    more = _FOR_DETAIL * max(0.0, _MUCH_DETAIL - overlap.detail)
    turned = mirrored or overlap.turns > 0
    near = not turned and overlap.off < _NEAR
    if not near and not in_place(overlap) and overlap.agreement >= _AGREE_MOVED + more:
        return overlap.likeness >= LEAST_LIKE + more
    if turned:
        return overlap.likeness >= (_MANY_LIKE if overlap.shared >= _MANY_SHARED else _TURNED_LIKE) + more
    if not near:
        return overlap.likeness >= _UPRIGHT_LIKE + more
    return overlap.likeness >= _NEAR_LIKE + more and overlap.agreement >= _AGREE_NEAR


def looks_original(first: Landmarks, second: Landmarks, overlap: Overlap) -> bool:
    """Whether the first is likelier the original: the one that shows more, or of which less looks filled in."""
    if overlap.second >= _WHOLE > overlap.first:
        return True
    if overlap.first >= _WHOLE > overlap.second:
        return False
    return untouched(first) >= untouched(second)


def _find_map(first: Landmarks, second: Landmarks, *, mirrored: bool) -> tuple[NDArray[np.float64], int] | None:
    """The affine map [2, 3] in pixels at SIDE that most landmarks agree on, and how many do, if a variation can be so."""
    points = first.points.astype(np.float32)
    if mirrored:
        points = np.stack([first.width - 1 - points[:, 0], points[:, 1]], axis=1)
    angles = (128 - first.angles.astype(np.int64)) % 256 if mirrored else first.angles.astype(np.int64)
    descriptors = first.mirrored if mirrored else first.descriptors
    from_, to = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    # Most pairs have next to nothing in common, and half of the landmarks tell it.
    for half, least in ((0, _LEAST_IN_HALF), (1, _LEAST_SHARED)):
        some, others = _correspondences(descriptors[half::2], second.descriptors)
        from_, to = np.concatenate((from_, 2 * some + half)), np.concatenate((to, others))
        agreeing = _turned_alike((second.angles[to].astype(np.int64) - angles[from_]) % 256)
        if int(agreeing.sum()) < least:
            return None
    from_, to = from_[agreeing], to[agreeing]
    found, inside = cv2.estimateAffine2D(
        points[from_], second.points[to].astype(np.float32), ransacReprojThreshold=_WITHIN, maxIters=400
    )
    if found is None or int(inside.sum()) < _LEAST_SHARED:
        return None
    matrix = np.asarray(found, dtype=np.float64)
    return (matrix, int(inside.sum())) if _plausible(matrix) else None


def _plausible(matrix: NDArray[np.float64]) -> bool:
    """Whether a variation stretches no more than that."""
    stretches = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return bool(
        stretches[0] <= min(_MOST_STRETCH, _MOST_UNEVEN * stretches[1])
        and stretches[1] >= _LEAST_STRETCH
        and np.linalg.det(matrix[:, :2]) > 0
    )


def _correspondences(
    first: NDArray[np.uint8], second: NDArray[np.uint8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Landmarks of both that look alike, and more alike than the next best."""
    if not len(first) or len(second) < 2:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    distances, places = cv2.batchDistance(first, second, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2)
    sure = (distances[:, 0] < _SURER * distances[:, 1]) & (distances[:, 0] <= _MOST_BITS)
    return np.flatnonzero(sure), places[sure, 0].astype(np.int64)


def _turned_alike(turns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of them agree with most of the others on the turn, 256ths; a shear moves some by an eighth."""
    counts = np.bincount(turns // 16, minlength=16)
    most = int(np.argmax(counts + counts[_BEFORE] + counts[_AFTER]))
    away = np.abs(turns - (most * 16 + 8))
    return np.asarray(np.minimum(away, 256 - away) <= _AGREE)


def _pose(first: tuple[int, ...], second: tuple[int, ...], matrix: NDArray[np.float64]) -> tuple[int, float]:
    """The number of quarter turns that the map is nearest to, and by how many pixels the corners then miss each other."""
    corners, wanted = _corners(first), _corners(second)
    placed = corners @ matrix[:, :2].T + matrix[:, 2]
    away = [float(np.linalg.norm(placed - np.roll(wanted, -turns, axis=0), axis=1).max()) for turns in range(4)]
    turns = int(np.argmin(away))
    return turns, away[turns]


def _corners(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Of a relief of that shape, clockwise, in pixels at SIDE [4, 2]."""
    height, width = (side * SIDE / RELIEF for side in shape)
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)


def _likeness(
    first: NDArray[np.uint8],
    second: NDArray[np.uint8],
    matrix: NDArray[np.float64],
    template: Template,
    *,
    best: bool = False,
) -> tuple[float, float, float]:
    """Correlation of two reliefs where they lie on each other, over the `best` of that, and the covered share of the second."""
    scaled = matrix.copy()
    scaled[:, 2] *= RELIEF / SIDE
    size = (second.shape[1], second.shape[0])
    laid = np.asarray(cv2.warpAffine(first, scaled, size, flags=cv2.INTER_LINEAR), dtype=np.uint8)
    whole = cv2.warpAffine(np.full(first.shape, 255, dtype=np.uint8), scaled, size, flags=cv2.INTER_NEAREST)
    shown = np.asarray(whole > 0)
    if int(shown.sum()) < _LEAST_PIXELS:
        return 0.0, 0.0, float(shown.mean())
    one, other = own_detail([laid, second], shown, template)
    likeness = _correlation(one, other)
    agreement = agreement_of_best(one, other, shown) if best and likeness >= LEAST_LIKE else likeness
    return likeness, agreement, float(shown.mean())


def agreement_of_best(one: NDArray[np.float64], other: NDArray[np.float64], shown: NDArray[np.bool_]) -> float:
    """Correlation over the four fifths of what is `shown` [H, W] about which the two [n] differ least; in -1..1.

    Source: least trimmed squares, Rousseeuw 1984; by neighbourhoods, since what was cut out lies together.
    """
    # Each brought to one mean and one spread, so that brightness and contrast are no difference.
    differing = (one - one.mean()) / (one.std() + 1e-9) - (other - other.mean()) / (other.std() + 1e-9)
    apart = np.zeros(shown.shape, dtype=np.float32)
    apart[shown] = differing**2
    near = cv2.blur(apart, _BEST_OVER)[shown] / cv2.blur(shown.astype(np.float32), _BEST_OVER)[shown]
    last = int(_BEST * (len(near) - 1))
    best = near <= np.partition(near, last)[last]
    return _correlation(one[best], other[best])


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float(one @ other / max(1e-9, float(np.sqrt((one @ one) * (other @ other)))))


def untouched(landmarks: Landmarks) -> float:
    """The share of the picture that has detail in both directions, in 0..1: what a border was drawn out to has not.

    Source: the smaller eigenvalue of the structure tensor, Shi and Tomasi 1994.
    """
    if not landmarks.relief.size:
        return 0.0
    relief = landmarks.relief.astype(np.float32)
    across, down = cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1)
    one, two, both = (cv2.blur(product, (5, 5)) for product in (across * across, down * down, across * down))
    least = (one + two - np.sqrt((one - two) ** 2 + 4.0 * both**2)) / 2.0
    return float((least > _DETAIL).mean())
