"""Words beside the chart of reliability. In: calibration errors of metrics.json. Out: phrase and values."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.reporting.phrases import Phrases
from tellapart.runs.reliability import reliability_lead

CHANCE = {"mean": 0.0284, "high": 0.0405}


@pytest.mark.parametrize(("classes", "start"), [("one", "reliability"), ("several", "labels_reliability")])
@pytest.mark.parametrize(
    ("language", "words"), [("en", "perfect probabilities would have 0.028, at most 0.041"), ("zh", "0.041")]
)
def test_what_chance_does_stands_beside_it(classes: Any, start: str, language: str, words: str) -> None:
    error = {"before": 0.0514, "after": 0.0311, "by_chance": CHANCE}
    key, values = reliability_lead(classes, "temperature", error)
    assert key == f"{start}_chance"
    said = Phrases(language)(key, **values)
    assert all(text in said for text in ("0.051", "0.031", "0.028", words))


@pytest.mark.parametrize(("classes", "start"), [("one", "reliability"), ("several", "labels_reliability")])
def test_of_probabilities_left_alone_nothing_is_said_of_before(classes: Any, start: str) -> None:
    key, values = reliability_lead(classes, "none", {"before": 0.0511, "after": 0.0511, "by_chance": CHANCE})
    assert key == f"{start}_kept"
    assert key == f"{start}_kept"
    assert "cross-validation found no better calibration. Calibration error 0.051;" in Phrases("en")(key, **values)
    assert "交叉验证表明校准不会使其更好。校准误差 0.051" in Phrases("zh")(key, **values)


def test_an_older_run_has_no_figure_by_chance() -> None:
    assert reliability_lead("one", None, {"before": None, "after": 0.0567}) == (
        "reliability_lead",
        {"before": "–", "after": "0.057"},
    )
