"""A test in words. In: metrics.json's figures. Out: lines for a terminal. Next: sections.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.tasks import told_classes

KEPT: Mapping[str, str] = {
    "probe": "a classifier of n-grams, of a frozen network's vectors, or both",
    "scratch": "a network of words, trained from random weights, or its mean with n-grams",
}


def summary(metrics: Mapping[str, Any]) -> list[str]:
    """What a person wants to know first of metrics.json: how good, on how many, compared with what, and where it errs."""
    return told_classes.summary(metrics, "text")


def decided(metrics: Mapping[str, Any]) -> str:
    """How often the set of likely classes held the true one, in a line of metrics.json."""
    return told_classes.decided(metrics, "text")


def scored(metrics: Mapping[str, Any]) -> list[str]:
    """The figures of one evaluation, a line each."""
    return told_classes.scored(metrics, "text")
