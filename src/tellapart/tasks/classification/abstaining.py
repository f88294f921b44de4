"""When the kept model says "one of these" or "none of these". In: Choice, Dataset. Out: Abstention. Next: results.py.

The novelty score is fitted on training pictures, both thresholds are set on the validation split, and what they keep is
measured on the test split, less the pictures that have a copy in another split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tellapart.bundle import AbstentionRecord
from tellapart.data.dataset import Dataset
from tellapart.evaluation.abstention import (
    Thresholds,
    fewest_pictures,
    find_thresholds,
    measure_abstention,
    most_useful,
)
from tellapart.evaluation.calibrating import ClassCalibration
from tellapart.evaluation.calibration import apply_in_place
from tellapart.evaluation.choosing import LinearCandidate, Validated
from tellapart.evaluation.novelty import Novelty, choose_pictures, fit_novelty
from tellapart.reporter import counted


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Abstention:
    """How the kept model abstains, and how that does on the test split."""

    novelty: Novelty
    thresholds: Thresholds
    measured: dict[str, Any]  # "abstention" in metrics.json

    @property
    def warning(self) -> str:
        """What a person should know; empty where all is well."""
        found, needed = self.thresholds.calibrated_on, fewest_pictures(self.thresholds.coverage)
        if found >= needed:
            return self._of_size()
        return (
            f"The validation split has {counted(found, 'picture')}; it takes {needed:,} to tell which classes to name so that the "
            f"true one is among them {100 * self.thresholds.coverage:g} % of the time. Until then every class is, and no "
            "picture is called unknown. Add pictures, or give a lower --coverage."
        )

    def _of_size(self) -> str:
        size, class_count = self.measured["mean_set_size"], len(self.measured["per_class"])
        if size <= most_useful(class_count):
            return ""
        return (
            f"The sets of likely classes hold {size:.1f} of the {class_count:,} classes on average; above "
            f"{most_useful(class_count):g} they are of no use. Add pictures, or give a lower --coverage than "
            f"{self.thresholds.coverage:g}."
        )

    def record(self) -> AbstentionRecord:
        """The same for the manifest."""
        return self.thresholds.record(self.measured)


def learn_to_abstain(winner: Validated[LinearCandidate], dataset: Dataset, *, coverage: float, seed: int) -> Abstention:
    """Fit, calibrate and measure. `coverage` is in (0, 1). Raises: DataError when a picture can no longer be read."""
    candidate = winner.candidate
    calibration: ClassCalibration = winner.calibration
    train, validation, test = dataset.rows["train"], dataset.rows["validation"], dataset.clean_test
    train = train[choose_pictures(dataset.targets[train], seed=seed)]
    novelty = fit_novelty(candidate.last_layer(train), dataset.targets[train])
    thresholds = find_thresholds(
        apply_in_place(candidate.logits(validation), calibration.temperature),
        dataset.targets[validation],
        candidate.over(validation, novelty.score),
        coverage=coverage,
    )
    measured = measure_abstention(
        apply_in_place(candidate.logits(test), calibration.temperature),
        candidate.over(test, novelty.score),
        dataset.targets[test],
        thresholds,
        classes=dataset.classes,
        groups=dataset.groups[test],
        seed=seed,
    )
    return Abstention(novelty=novelty, thresholds=thresholds, measured=measured)
