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
from tellapart.evaluation.unlike import Unlike, unlike_by
from tellapart.tasks.detection.candidates import DetectorCandidate, Embeddings


def learn_to_abstain(
    candidate: DetectorCandidate,
    dataset: Dataset,
    *,
    validation: Embeddings | None,
    test: Embeddings | None,
    coverage: float,
    seed: int,
) -> Unlike | None:
    """Fit, calibrate and measure; None where the network's file has no embedding. `coverage` is in (0, 1).

    `validation` and `test` are embeddings, which come with the boxes: of the validation split, of `dataset.clean_test`. Of
    several tiles of a picture the mean counts, as answers have it (answers/box_merging.py). Training pictures are looked at
    here. Raises: DataError when one can no longer be read; ModelFileError.
    """
    if validation is None or test is None:
        return None
    train = dataset.rows["train"]
    alike = np.zeros(len(train), dtype=np.int64)  # one mean for all
    pictures = [dataset.pictures[row] for row in train[choose_pictures(alike, seed=seed)].tolist()]
    if candidate.tiled:  # fitted to single tiles
        most = max(1, FIT_PICTURES // len(pictures))
        fitted: NDArray[np.float32] | None = np.concatenate(list(candidate.tile_embeddings(pictures, most=most)))
    else:
        fitted = candidate.embeddings(pictures)
    if fitted is None:
        return None
    novelty = fit_novelty(fitted, np.zeros(len(fitted), dtype=np.int64))

    def means(several: Embeddings) -> NDArray[np.float64]:
        return np.array([novelty.score(one).mean() for one in several])

    return unlike_by(
        novelty,
        means(validation),
        means(test),
        coverage=coverage,
        groups=dataset.groups[dataset.clean_test],
        seed=seed,
    )


def warnings_of(abstention: Unlike | None) -> Iterator[str]:
    """What a person should know, a few sentences; nothing where all is well."""
    if abstention is None:
        yield "This kind of detector gives no embedding, so no picture is called unknown, however unlike the others it is."
    elif abstention.warning:
        yield abstention.warning
