"""When to say "one of these" or "none of these". In: validation probabilities, novelty. Out: thresholds. Next: novelty.py.

Split conformal prediction: a threshold on the probabilities of pictures that were not trained on, such that the set of
all classes above it holds the true one as often as wanted, whatever the network, as long as new pictures are like those.
The same quantile of a novelty score keeps the wanted share of such pictures, and calls the rest unknown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.deciding import prediction_sets
from tellapart.bundle import AbstentionRecord, Score
from tellapart.evaluation.exact import parts
from tellapart.evaluation.intervals import Counts, Groups, bootstrap, group_numbers, wilson
from tellapart.evaluation.totals import sum_by_group

_ROUNDING = 1e-9  # 1 - 0.9 is 0.09999999999999998, which must not ask for one picture more


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What turns probabilities into sets, and novelty into "unknown"."""

    coverage: float  # wanted, in (0, 1)
    probability: float  # a class at least this probable is in the set; 0 where there were too few pictures to tell
    novelty: float | None  # a picture above it is unknown; None where there were too few pictures to tell
    calibrated_on: int  # validation pictures

    @classmethod
    def kept(cls, record: AbstentionRecord) -> Thresholds:
        """Those that a model file holds."""
        return cls(
            coverage=record.coverage,
            probability=record.threshold,
            novelty=record.novelty_threshold,
            calibrated_on=record.calibrated_on,
        )

    def record(self, measured: Mapping[str, Any]) -> AbstentionRecord:
        """The same for a manifest, with how it did: `measured` of measure_abstention."""
        return AbstentionRecord(
            coverage=self.coverage,
            threshold=self.probability,
            novelty_threshold=self.novelty,
            calibrated_on=self.calibrated_on,
            measured_coverage=Score.of(measured["coverage"]),
            mean_set_size=measured["mean_set_size"],
            known=None if measured["known"] is None else Score.of(measured["known"]),
        )


def fewest_pictures(coverage: float) -> int:
    """The fewest validation pictures whose largest score may serve as the threshold: ceil(1 / (1 - coverage)) - 1."""
    return math.ceil(1 / (1 - coverage) - _ROUNDING) - 1


def find_thresholds(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    novelty: NDArray[np.floating] | None,
    *,
    coverage: float,
) -> Thresholds:
    """Thresholds from pictures that the network was not fitted to.

    `probabilities` is [n, K], `labels` [n] in 0..K-1, `novelty` [n], larger for stranger pictures, or None. A class is
    in a picture's set when its probability is at least 1 - q, where q is the ceil((n + 1) coverage)-th smallest of
    1 - (the true class's probability): the least ambiguous sets of Sadinle, Lei and Wasserman 2019, JASA 114:223-234,
    as in Angelopoulos and Bates 2021, arXiv 2107.07511, eq. 1-2. With fewer than `fewest_pictures` no score is large
    enough: every class is in every set, and nothing is unknown.
    """
    own = probabilities[np.arange(len(labels)), labels]
    # The rank is taken among the probabilities themselves: 1 - p would round, and lose the picture on the threshold.
    strangest = conformal_quantile(-own, coverage)
    return Thresholds(
        coverage=coverage,
        probability=0.0 if strangest is None else -strangest,
        novelty=None if novelty is None else conformal_quantile(novelty, coverage),
        calibrated_on=len(labels),
    )


def measure_abstention(
    probabilities: NDArray[np.floating],
    novelty: NDArray[np.floating] | None,
    labels: NDArray[np.integer],
    thresholds: Thresholds,
    *,
    classes: Sequence[str],
    groups: Groups | None,
    seed: int,
) -> dict[str, Any]:
    """How the thresholds do on other pictures; ready for JSON, with None where a figure is not defined.

    `probabilities` is [N, K], `novelty` [N] or None, `labels` [N] in 0..K-1, `groups` [N] or None; N must not be 0.
    `coverage` is the share whose set holds the true class, `known` the share that is not called unknown; both have 95 %
    intervals: Wilson's, and where pictures come in groups no narrower than the bootstrap's over whole groups.
    """
    held, sizes = held_and_sizes(probabilities, labels, thresholds.probability)
    known = None if novelty is None or thresholds.novelty is None else np.asarray(novelty <= thresholds.novelty)
    return tell_abstention(held, sizes, known, labels, thresholds, classes=classes, groups=groups, seed=seed)


def tell_abstention(
    held: NDArray[np.bool_],
    sizes: NDArray[np.int64],
    known: NDArray[np.bool_] | None,
    labels: NDArray[np.integer],
    thresholds: Thresholds,
    *,
    classes: Sequence[str],
    groups: Groups | None,
    seed: int,
) -> dict[str, Any]:
    """The same, of which sets held the true class, how large they were, and what was not called unknown, [N] each."""
    return {
        "wanted": thresholds.coverage,
        "threshold": thresholds.probability,
        "novelty_threshold": thresholds.novelty,
        "calibrated_on": thresholds.calibrated_on,
        "n": len(labels),
        "coverage": share_with_interval(held, groups, seed).model_dump(),
        "mean_set_size": float(sizes.mean()),
        "set_sizes": {str(size): int(count) for size, count in enumerate(np.bincount(sizes)) if count},
        "known": None if known is None else share_with_interval(known, groups, seed).model_dump(),
        "per_class": {
            name: _of_class(held[labels == number], sizes[labels == number]) for number, name in enumerate(classes)
        },
    }


def held_and_sizes(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], threshold: float
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each set has the true class, and how many it has, [N] each."""
    held, sizes = np.empty(len(labels), dtype=np.bool_), np.empty(len(labels), dtype=np.int64)
    for part in parts(*probabilities.shape):  # the sets of very many classes are a quarter of the probabilities
        sets = prediction_sets(probabilities[part], threshold)
        held[part], sizes[part] = sets[np.arange(len(sets)), labels[part]], sets.sum(axis=1)
    return held, sizes


def most_useful(class_count: int) -> float:
    """The mean number of classes a set above which it helps nobody: ten, half of fewer classes, but two at least."""
    return max(2.0, min(10.0, class_count / 2))


def conformal_quantile(scores: NDArray[np.floating], coverage: float) -> float | None:
    """The ceil((n + 1) coverage)-th smallest of n scores [n]; None where n is too small for that."""
    rank = math.ceil((len(scores) + 1) * coverage - _ROUNDING)
    return None if rank > len(scores) else float(np.sort(scores)[rank - 1])


def _of_class(held: NDArray[np.bool_], sizes: NDArray[np.int64]) -> dict[str, Any]:
    if len(held) == 0:
        return {"n": 0, "coverage": None, "mean_set_size": None}
    low, high = wilson(int(held.sum()), len(held))
    coverage = Score(value=float(held.mean()), low=low, high=high, method="wilson")
    return {"n": len(held), "coverage": coverage.model_dump(), "mean_set_size": float(sizes.mean())}


def share_with_interval(hits: NDArray[np.bool_], groups: Groups | None, seed: int) -> Score:
    """The share of `hits` [N] with its 95 % interval: Wilson's, where `groups` [N] say so no narrower than the bootstrap's."""
    value, count = float(hits.mean()), len(hits)
    low, high = wilson(int(hits.sum()), count)
    numbers = group_numbers(groups, count)
    group_count = int(numbers.max()) + 1
    if group_count == count:
        return Score(value=value, low=low, high=high, method="wilson")
    # Row 0 sums the hits of each group, row 1 its pictures.
    rows = np.concatenate([np.zeros(count, dtype=np.int64), np.ones(count, dtype=np.int64)])
    values = np.concatenate([hits.astype(np.float64), np.ones(count)])
    sums = sum_by_group(rows, values, np.concatenate([numbers, numbers]), (2, group_count))

    def share(counts: Counts) -> dict[str, NDArray[np.floating]]:
        found, pictures = sums.of(counts).astype(np.float64)
        return {"share": found / pictures}

    wide = bootstrap(share, group_count=group_count, seed=seed)["share"] or (low, high)
    return Score(
        value=value, low=min(low, wide[0]), high=max(high, wide[1]), method="bootstrap, no narrower than wilson"
    )
