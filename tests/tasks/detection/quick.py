"""First answers that take seconds. In: a MonkeyPatch. Out: nothing. Next: test_first.py."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.reporter import Silent
from tellapart.tasks.detection import first
from tellapart.tasks.detection.detectors import DetectorKind, detector_kind
from tellapart.tasks.task import FirstTerms


def learn_quickly(patch: pytest.MonkeyPatch, updates: int) -> None:
    """Let every first answer take so many updates."""

    def quick(name: str | None) -> DetectorKind:
        return replace(detector_kind(name), first_updates=updates)

    patch.setattr(first, "detector_kind", quick)


def terms(work: Path) -> FirstTerms:
    """Of a first answer that nobody watches and nothing ends."""
    return FirstTerms(work=work, device="cpu", reporter=Silent())
