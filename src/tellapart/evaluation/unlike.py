"""When a picture is unlike what a model knows, by its novelty alone. In: novelty scores. Out: Unlike. Next: curves.py.

For tasks that name no set of likely classes: the threshold is set on the validation split, and what it keeps is measured on the
test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.bundle import Score
from tellapart.evaluation.abstention import conformal_quantile, fewest_pictures, share_with_interval
from tellapart.evaluation.novelty import Novelty
from tellapart.reporter import counted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unlike:
    """How the kept model abstains, and how that does on the test split."""

    novelty: Novelty
    threshold: float | None  # a picture above it is unknown; None where there were too few pictures to tell
    coverage: float  # wanted: the share of pictures like those of the validation split that is kept
    calibrated_on: int  # validation pictures
    measured: dict[str, Any]  # "abstention" in metrics.json
    scores: NDArray[np.floating]  # how novel the pictures are that it was measured on, [N]

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


def unlike_by(
    novelty: Novelty,
    validation: NDArray[np.floating],
    test: NDArray[np.floating],
    *,
    coverage: float,
    groups: NDArray[np.integer],
    seed: int,
) -> Unlike:
    """Calibrate and measure a fitted novelty by how novel it calls pictures, [V] of validation and [N] of test.

    `coverage` is in (0, 1), `groups` [N] of the test.
    """
    threshold = conformal_quantile(validation, coverage)
    return Unlike(
        novelty=novelty,
        threshold=threshold,
        coverage=coverage,
        calibrated_on=len(validation),
        measured=measure_known(
            test,
            threshold,
            coverage=coverage,
            calibrated_on=len(validation),
            groups=groups,
            seed=seed,
        ),
        scores=np.asarray(test),
    )


def pool_known(
    parts: Sequence[tuple[NDArray[np.floating], float | None]],
    told: Mapping[str, Any],
    *,
    groups: NDArray[np.integer],
    seed: int,
) -> dict[str, Any]:
    """What is `told` of one test, of several together: the novelty [n] and the threshold of each; `groups` [N] of all in turn."""
    known = None
    kept = [novelty <= threshold for novelty, threshold in parts if threshold is not None]
    if len(kept) == len(parts):
        known = share_with_interval(np.concatenate(kept), groups, seed).model_dump()
    return {**told, "n": len(groups), "known": known}


def measure_known(
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
