"""A recipe says what was resolved and what ran it. In: settings. Out: recipe.toml."""

from __future__ import annotations

import platform
import tomllib

from tellapart.runs.recipe import recipe_text, versions
from tellapart.settings.reading import make_settings


def test_a_recipe_keeps_what_is_set_leaves_out_what_is_open_and_names_the_versions() -> None:
    text = recipe_text(make_settings({"data": "x", "seed": 3}))
    found = tomllib.loads(text)
    assert found["settings"]["seed"] == 3
    assert "budget" not in found["settings"]  # None, which TOML has no word for
    assert found["versions"] == versions()
    assert text.startswith("# Repeat this run with: tellapart train --recipe recipe.toml\n")


def test_versions_are_each_callers_own() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    assert {"tellapart", "numpy", "onnxruntime"} <= found.keys()
    found.clear()
    assert versions()["python"]
