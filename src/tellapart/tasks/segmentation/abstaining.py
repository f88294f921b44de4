"""When a network of pixels says "unlike what I know". In: embeddings of tiles. Out: Unlike. Next: evaluating.py.

The score is the one of a single class a picture (evaluation/novelty.py), with one mean for all, on the embeddings of tiles,
since those are what the network sees; a picture's novelty is the mean of its tiles', by the pixels of it that they show, as
answers/mask_blending.py has it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tellapart.data.dataset import Dataset
from tellapart.evaluation.abstention import conformal_quantile
from tellapart.evaluation.novelty import Novelty, choose_pictures, fit_novelty
from tellapart.evaluation.unlike import Unlike, measure_known

Tiles = tuple[NDArray[np.float32], NDArray[np.floating]]  # embeddings [t, D], and how many pixels each tile shows [t]


class EmbedsTiles(Protocol):
    """What is asked of a candidate."""

    def embeddings(self, dataset: Dataset, rows: NDArray[np.int64]) -> Iterator[Tiles] | None:
        """Of each picture those of its tiles; None where its file has no embedding. Raises: DataError, ModelFileError."""


def learn_to_abstain(candidate: EmbedsTiles, dataset: Dataset, *, coverage: float, seed: int) -> Unlike | None:
    """Fit on training tiles, calibrate on validation pictures, measure on those of the test split that have no copy elsewhere.

    None where the network's file has no embedding. `coverage` is in (0, 1). Raises: DataError, ModelFileError.
    """
    train, validation, test = dataset.rows["train"], dataset.rows["validation"], dataset.clean_test
    chosen = train[choose_pictures(np.zeros(len(train), dtype=np.int64), seed=seed)]
    found = candidate.embeddings(dataset, np.concatenate([chosen, validation, test]))
    if found is None:
        return None
    tiles = list(found)
    fitted = np.concatenate([one for one, _ in tiles[: len(chosen)]])
    fitted = fitted[choose_pictures(np.zeros(len(fitted), dtype=np.int64), seed=seed)]
    novelty = fit_novelty(fitted, np.zeros(len(fitted), dtype=np.int64))
    scores = picture_novelty(novelty, tiles[len(chosen) :])
    threshold = conformal_quantile(scores[: len(validation)], coverage)
    return Unlike(
        novelty=novelty,
        threshold=threshold,
        coverage=coverage,
        calibrated_on=len(validation),
        measured=measure_known(
            scores[len(validation) :],
            threshold,
            coverage=coverage,
            calibrated_on=len(validation),
            groups=dataset.groups[test],
            seed=seed,
        ),
        scores=scores[len(validation) :],
    )


def picture_novelty(novelty: Novelty, pictures: Sequence[Tiles]) -> NDArray[np.float64]:
    """The novelty of n pictures by their tiles, [n]."""
    return np.array(
        [np.average(novelty.score(tiles), weights=weights) for tiles, weights in pictures], dtype=np.float64
    )


def warnings_of(abstention: Unlike | None) -> Iterator[str]:
    """What a person should know, a few sentences; nothing where all is well."""
    if abstention is None:
        yield "This network gives no embedding, so no picture is called unknown, however unlike the others it is."
    elif abstention.warning:
        yield abstention.warning
