"""Pixel probes that take a second. In: a MonkeyPatch. Out: nothing. Next: test_first.py."""

from __future__ import annotations

import pytest

from tellapart.tasks.segmentation import sampled


def probe_quickly(patch: pytest.MonkeyPatch, pixels: int) -> None:
    """Let every pixel probe look at so many pixels of a crop."""
    patch.setattr(sampled, "_MOST_A_CROP", pixels)
