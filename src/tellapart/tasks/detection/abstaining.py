"""When a detector says "unlike what I know". In: DetectorCandidate, Dataset. Out: Unlike. Next: scoring.py.

The score is the one of a single class a picture (evaluation/novelty.py), with one mean for all pictures, on the means of the
backbone's coarsest map: what was brought in beside a picture to make it square is part of that. Its threshold is set on the
validation split, and what it keeps is measured on the test split, less the pictures that have a copy in another split.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.evaluation.novelty import FIT_PICTURES, choose_pictures, fit_novelty
from tellapart.evaluation.unlike import Unlike, find_unlike, unlike_by
from tellapart.tasks.detection.candidates import DetectorCandidate


def learn_to_abstain(candidate: DetectorCandidate, dataset: Dataset, *, coverage: float, seed: int) -> Unlike | None:
    """Fit, calibrate and measure; None where the network's file has no embedding. `coverage` is in (0, 1).

    Raises: DataError when a picture can no longer be read; ModelFileError.
    """
    train, validation, test = dataset.rows["train"], dataset.rows["validation"], dataset.clean_test
    alike = np.zeros(len(train), dtype=np.int64)  # one mean for all
    chosen = choose_pictures(alike, seed=seed)
    if candidate.tiled:
        return _by_tiles(candidate, dataset, train[chosen], coverage=coverage, seed=seed)
    rows = np.concatenate([train[chosen], validation, test])
    found = candidate.embeddings([dataset.pictures[row] for row in rows.tolist()])
    if found is None:
        return None
    fitted, others = np.split(found, [len(chosen)])
    return find_unlike(
        fit_novelty(fitted, alike[chosen]),
        others[: len(validation)],
        others[len(validation) :],
        coverage=coverage,
        groups=dataset.groups[test],
        seed=seed,
    )


def _by_tiles(
    candidate: DetectorCandidate, dataset: Dataset, train: NDArray[np.int64], *, coverage: float, seed: int
) -> Unlike | None:
    """The same by the mean over a picture's tiles, as answers have it (answers/box_merging.py); fitted to single tiles."""
    if not candidate.embeds:
        return None
    most = max(1, FIT_PICTURES // len(train))
    fitted = np.concatenate(
        list(candidate.tile_embeddings([dataset.pictures[row] for row in train.tolist()], most=most))
    )
    novelty = fit_novelty(fitted, np.zeros(len(fitted), dtype=np.int64))

    def means(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        found = candidate.tile_embeddings([dataset.pictures[row] for row in rows.tolist()])
        return np.array([novelty.score(one).mean() for one in found])

    test = dataset.clean_test
    return unlike_by(
        novelty,
        means(dataset.rows["validation"]),
        means(test),
        coverage=coverage,
        groups=dataset.groups[test],
        seed=seed,
    )


def warnings_of(abstention: Unlike | None) -> Iterator[str]:
    """What a person should know, a few sentences; nothing where all is well."""
    if abstention is None:
        yield "This kind of detector gives no embedding, so no picture is called unknown, however unlike the others it is."
    elif abstention.warning:
        yield abstention.warning
