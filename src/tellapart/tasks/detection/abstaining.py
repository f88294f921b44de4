"""When a detector says "unlike what I know". In: DetectorCandidate, Dataset. Out: BoxAbstention. Next: scoring.py.

The score is the one of a single class a picture (evaluation/novelty.py), with one mean for all pictures, on the means of the
backbone's coarsest map: what was brought in beside a picture to make it square is part of that. Its threshold is set on the
validation split, and what it keeps is measured on the test split, less the pictures that have a copy in another split.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score
from tellapart.data.dataset import Dataset
from tellapart.evaluation.abstention import conformal_quantile, fewest_pictures, share_with_interval
from tellapart.evaluation.novelty import Novelty, choose_pictures, fit_novelty
from tellapart.reporter import counted
from tellapart.tasks.detection.candidates import DetectorCandidate


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BoxAbstention:
    """How the kept detector abstains, and how that does on the test split."""

    novelty: Novelty
    threshold: float | None  # a picture above it is unknown; None where there were too few pictures to tell
    coverage: float  # wanted: the share of pictures like those of the validation split that is kept
    calibrated_on: int  # validation pictures
    measured: dict[str, Any]  # "abstention" in metrics.json

    @property
    def known(self) -> Score | None:
        """The share of the test split that is not called unknown."""
        return None if self.measured["known"] is None else Score.of(self.measured["known"])


def learn_to_abstain(
    candidate: DetectorCandidate, dataset: Dataset, *, coverage: float, seed: int
) -> BoxAbstention | None:
    """Fit, calibrate and measure; None where the network's file has no embedding. `coverage` is in (0, 1).

    Raises: DataError when a picture can no longer be read; ModelFileError.
    """
    train, validation, test = (dataset.rows[split] for split in ("train", "validation", "test"))
    clean = test[~dataset.leaked[test]]
    test = clean if len(clean) else test
    alike = np.zeros(len(train), dtype=np.int64)  # one mean for all
    chosen = choose_pictures(alike, seed=seed)

    def embeddings(rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
        return candidate.embeddings([dataset.pictures[row] for row in rows.tolist()])

    fitted_on = embeddings(train[chosen])
    if fitted_on is None:
        return None
    novelty = fit_novelty(fitted_on, alike[chosen])
    scores = [novelty.score(found) for rows in (validation, test) if (found := embeddings(rows)) is not None]
    threshold = conformal_quantile(scores[0], coverage)
    groups = dataset.groups[test]
    known = None if threshold is None else share_with_interval(scores[1] <= threshold, groups, seed).model_dump()
    return BoxAbstention(
        novelty=novelty,
        threshold=threshold,
        coverage=coverage,
        calibrated_on=len(validation),
        measured={
            "wanted": coverage,
            "novelty_threshold": threshold,
            "calibrated_on": len(validation),
            "n": len(test),
            "known": known,
        },
    )


def warnings_of(abstention: BoxAbstention | None) -> Iterator[str]:
    """What a person should know, a few sentences; nothing where all is well."""
    if abstention is None:
        yield "This kind of detector gives no embedding, so no picture is called unknown, however unlike the others it is."
    elif abstention.threshold is None:
        yield (
            f"The validation split has {counted(abstention.calibrated_on, 'picture')}; it takes "
            f"{fewest_pictures(abstention.coverage):,} to tell which are unlike them, so that {100 * abstention.coverage:g} % of "
            "the others are kept. Until then no picture is called unknown. Add pictures, or give a lower --coverage."
        )
