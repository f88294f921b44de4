"""First answers that take seconds. In: a MonkeyPatch. Out: nothing. Next: test_first.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tellapart.tasks.detection import first
from tellapart.tasks.detection.detectors import DetectorKind, detector_kind


def learn_quickly(patch: pytest.MonkeyPatch, updates: int) -> None:
    """Let every first answer take so many updates."""

    def quick(name: str | None) -> DetectorKind:
        return replace(detector_kind(name), first_updates=updates)

    patch.setattr(first, "detector_kind", quick)
