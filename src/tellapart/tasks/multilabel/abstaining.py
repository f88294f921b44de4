"""When the kept model says "unlike what I know". In: Validated, Dataset. Out: MultilabelAbstention. Next: scoring.py.

The novelty score is the one of a single class a picture (evaluation/novelty.py), with a mean for each combination of classes
that is frequent enough to have one. Its threshold is set on the validation split, and what it keeps is measured on the test
split, less the pictures that have a copy in another split. On the frozen network's embeddings of collages one mean for all
does as well, to a thousandth of AUROC; a network that was trained may map each combination to a place of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score
from tellapart.data.dataset import Dataset
from tellapart.evaluation.abstention import conformal_quantile, fewest_pictures, share_with_interval
from tellapart.evaluation.choosing import LinearCandidate, Validated
from tellapart.evaluation.novelty import Novelty, choose_pictures, fit_novelty
from tellapart.reporter import counted

FREQUENT = 10  # training pictures of a combination; with fewer a mean says more of them than of it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultilabelAbstention:
    """How the kept model abstains, and how that does on the test split."""

    novelty: Novelty
    threshold: float | None  # a picture above it is unknown; None where there were too few pictures to tell
    coverage: float  # wanted: the share of pictures like those of the validation split that is kept
    calibrated_on: int  # validation pictures
    measured: dict[str, Any]  # "abstention" in metrics.json

    @property
    def known(self) -> Score | None:
        """The share of the test split that is not called unknown."""
        return None if self.measured["known"] is None else Score.of(self.measured["known"])

    @property
    def warning(self) -> str:
        """What a person should know; empty where all is well."""
        if self.threshold is not None:
            return ""
        return (
            f"The validation split has {counted(self.calibrated_on, 'picture')}; it takes {fewest_pictures(self.coverage):,} to "
            f"tell which are unlike them, so that {100 * self.coverage:g} % of the others are kept. Until then no picture is "
            "called unknown. Add pictures, or give a lower --coverage."
        )


def learn_to_abstain(
    winner: Validated[LinearCandidate], dataset: Dataset, *, coverage: float, seed: int
) -> MultilabelAbstention:
    """Fit, calibrate and measure. `coverage` is in (0, 1). Raises: DataError when a picture can no longer be read."""
    embeddings = winner.candidate.embeddings
    train, validation, test = (dataset.rows[split] for split in ("train", "validation", "test"))
    clean = test[~dataset.leaked[test]]
    test = clean if len(clean) else test
    clusters = cluster(dataset.targets[train])
    chosen = choose_pictures(clusters, seed=seed)
    novelty = fit_novelty(winner.candidate.last_layer(train[chosen]), clusters[chosen])
    threshold = conformal_quantile(novelty.score(embeddings(validation)), coverage)
    measured = measure(
        novelty.score(embeddings(test)),
        threshold,
        coverage=coverage,
        calibrated_on=len(validation),
        groups=dataset.groups[test],
        seed=seed,
    )
    return MultilabelAbstention(
        novelty=novelty,
        threshold=threshold,
        coverage=coverage,
        calibrated_on=len(validation),
        measured=measured,
    )


def measure(
    novelty: NDArray[np.floating],
    threshold: float | None,
    *,
    coverage: float | None,
    calibrated_on: int,
    groups: NDArray[np.integer] | None,
    seed: int,
) -> dict[str, Any]:
    """How the threshold does on other pictures; ready for JSON. `novelty` is [N], `groups` [N] or None; N must not be 0.

    `known` is the share that is not called unknown, with a 95 % interval; None where there is no threshold.
    """
    known = None
    if threshold is not None:
        known = share_with_interval(novelty <= threshold, groups, seed).model_dump()
    return {
        "wanted": coverage,
        "novelty_threshold": threshold,
        "calibrated_on": calibrated_on,
        "n": len(novelty),
        "known": known,
    }


def cluster(targets: NDArray[np.floating]) -> NDArray[np.int64]:
    """The cluster of each picture, int64 [N], numbered from 0: its combination of classes, or the frequent one most like it.

    `targets` is [N, K] in {0, 1, NaN}; what is not known counts as not there. A combination is frequent that ten pictures
    have; the others join the one with the largest share of classes in common (Jaccard), of equal ones the most frequent.
    Where none is frequent, all pictures are one cluster.
    """
    sets, number, counts = np.unique(targets == 1, axis=0, return_inverse=True, return_counts=True)
    frequent = np.flatnonzero(counts >= FREQUENT)
    if not len(frequent):
        return np.zeros(len(targets), dtype=np.int64)
    frequent = frequent[np.argsort(-counts[frequent], kind="stable")]
    members = sets.astype(np.float64)
    common = members @ members[frequent].T
    either = members.sum(axis=1)[:, None] + members[frequent].sum(axis=1) - common
    # Two empty sets are alike.
    likeness = np.divide(common, either, out=np.ones_like(common), where=either > 0)
    return np.asarray(likeness.argmax(axis=1)[number.reshape(-1)], dtype=np.int64)
