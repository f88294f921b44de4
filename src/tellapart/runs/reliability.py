"""What stands beside the chart of probabilities and frequencies. In: a calibration error. Out: Said. Next: parts.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tellapart.reporting.facts import Said

_PHRASES = {  # of an older run, of calibrated probabilities, of those that were left alone
    "one": ("reliability_lead", "reliability_chance", "reliability_kept"),
    "several": ("labels_reliability_lead", "labels_reliability_chance", "labels_reliability_kept"),
}


def reliability_lead(classes: Literal["one", "several"], method: str | None, error: Mapping[str, Any]) -> Said:
    """The error before and after calibration, and by chance, of pictures that show one class or several.

    `method` is how the probabilities were calibrated, "none" where cross-validation left them alone, None where it is not
    known. A run of before there was a figure by chance has none.
    """
    values = {name: "–" if error[name] is None else f"{error[name]:.3f}" for name in ("before", "after")}
    older, calibrated, kept = _PHRASES[classes]
    chance = error.get("by_chance")
    if chance is None:
        return older, values
    values |= {name: f"{chance[name]:.3f}" for name in ("mean", "high")}
    return kept if method == "none" else calibrated, values
