"""Tests of the page are skipped without a browser, but never in CI. In: what is installed. Out: skip, or not."""

from __future__ import annotations

import pytest

from .browser import may_skip


@pytest.mark.parametrize(
    ("installed", "environment", "skipped"),
    [(True, {}, False), (False, {}, True), (False, {"CI": "true"}, False), (True, {"CI": "true"}, False)],
)
def test_a_browser_that_is_missing_in_ci_is_a_failure(
    installed: bool, environment: dict[str, str], skipped: bool
) -> None:
    assert may_skip(installed, environment) == skipped
