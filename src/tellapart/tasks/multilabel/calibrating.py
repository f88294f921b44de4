"""Whether to calibrate, by cross-validation. In: logits, targets [n, K] not trained on. Out: Calibrated. Next: thresholds.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tellapart.evaluation.calibrating import FEWEST, FOLDS, deal
from tellapart.evaluation.intervals import Groups, group_numbers
from tellapart.evaluation.platt import log_losses
from tellapart.tasks.multilabel.calibration import (
    Doubles,
    MultilabelCalibration,
    fit_calibration,
    no_calibration,
)

Method: TypeAlias = Literal["none", "kept", "scales and offsets"]

_MOST_CELLS = 2_000_000  # pictures x classes that ten folds are held out of; of more fewer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibrated:
    """What cross-validation took, and what it saw."""

    method: Method
    calibration: MultilabelCalibration  # fitted on all n pictures, or nothing
    trials: Mapping[Method, float]  # mean log loss in nats of cells that it was not fitted on
    losses: Doubles  # [n, K], the same of each cell, of `method`; NaN where `targets` is

    def as_json(self) -> dict[str, Any]:
        """For metrics.json."""
        return {"method": self.method, "pictures": len(self.losses), "trials": dict(self.trials)}


def choose_calibration(
    logits: NDArray[np.floating],
    targets: NDArray[np.floating],
    groups: Groups | None,
    *,
    known: MultilabelCalibration | None = None,
    seed: int = 0,
) -> Calibrated:
    """Scales and offsets for all classes, or nothing: what makes held-out cells more probable.

    `logits` [n, K] of pictures that the classifiers were not trained on, `targets` [n, K] in {0, 1, NaN}; a cell whose logit is
    NaN counts nowhere. As evaluation/calibrating.py does it: ten folds of whole groups, what is simpler wins a tie, and fewer
    than 50 pictures cannot choose. What is `known` of nearly these logits stands in the place of nothing: others are looked for
    near it, and it is what so few pictures leave as it is.
    """
    targets = np.where(np.isnan(logits), np.nan, targets)
    logits = np.nan_to_num(logits)
    folds = int(np.clip(FOLDS * _MOST_CELLS // max(logits.size, 1), 2, FOLDS))
    fold_of = deal(group_numbers(groups, len(targets)), folds, np.random.default_rng(seed))
    plain = log_losses(logits if known is None else known.logits(logits), targets)
    fitted = np.full(targets.shape, np.nan)
    for fold in np.unique(fold_of).tolist():
        out = fold_of == fold
        fitted[out] = log_losses(
            fit_calibration(logits[~out], targets[~out], known=known).logits(logits[out]), targets[out]
        )
    simple: Method = "none" if known is None else "kept"
    trials: dict[Method, float] = {simple: float(np.nanmean(plain)), "scales and offsets": float(np.nanmean(fitted))}
    few = len(targets) < FEWEST
    if (few and known is not None) or (not few and trials[simple] <= trials["scales and offsets"]):
        calibration = no_calibration(targets.shape[1]) if known is None else known
        return Calibrated(method=simple, calibration=calibration, trials=trials, losses=plain)
    calibration = fit_calibration(logits, targets, known=known)
    return Calibrated(method="scales and offsets", calibration=calibration, trials=trials, losses=fitted)
