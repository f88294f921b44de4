"""When the kept model says "unlike what I know". In: Validated, Dataset. Out: Unlike. Next: scoring.py.

The novelty score is the one of a single class a picture (evaluation/novelty.py), with a mean for each combination of classes
that is frequent enough to have one. Its threshold is set on the validation split, and what it keeps is measured on the test
split, less the pictures that have a copy in another split. On the frozen network's embeddings of collages one mean for all
does as well, to a thousandth of AUROC; a network that was trained may map each combination to a place of its own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import LinearCandidate, Validated
from tellapart.evaluation.novelty import choose_pictures, fit_novelty
from tellapart.evaluation.unlike import Unlike, unlike_by

FREQUENT = 10  # training pictures of a combination; with fewer a mean says more of them than of it


def learn_to_abstain(winner: Validated[LinearCandidate], dataset: Dataset, *, coverage: float, seed: int) -> Unlike:
    """Fit, calibrate and measure. `coverage` is in (0, 1). Raises: DataError when a picture can no longer be read."""
    candidate = winner.candidate
    train, validation, test = dataset.rows["train"], dataset.rows["validation"], dataset.clean_test
    clusters = cluster(dataset.targets[train])
    chosen = choose_pictures(clusters, seed=seed)
    novelty = fit_novelty(candidate.last_layer(train[chosen]), clusters[chosen])
    return unlike_by(
        novelty,
        candidate.over(validation, novelty.score),
        candidate.over(test, novelty.score),
        coverage=coverage,
        groups=dataset.groups[test],
        seed=seed,
    )


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
