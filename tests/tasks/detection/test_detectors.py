"""Every detector of the table keeps to what is asked of it. In: DETECTORS, a tiny lesson. Out: networks, learners, refusals."""

from __future__ import annotations

import pytest

from tellapart.errors import SettingsError
from tellapart.tasks.detection.detectors import DEFAULT_DETECTOR, DETECTORS, detector_kind


def test_a_detector_is_found_by_its_name() -> None:
    assert DEFAULT_DETECTOR in DETECTORS
    for name, kind in DETECTORS.items():
        assert kind.name == name
        assert detector_kind(name) is kind
        assert kind.size % 32 == 0


def test_an_unknown_detector_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        SettingsError, match=r"^there is no detector 'yolo'; network\.detector must be one of: default.*\.$"
    ):
        detector_kind("yolo")
