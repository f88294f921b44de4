"""Recipes are settings and lab records. In: recipes/*.toml. Out: they parse, and say how they went."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.settings.reading import make_settings, read_recipe

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_parses_and_records_its_evidence(path: Path) -> None:
    make_settings({**read_recipe(path), "data": "pictures"})
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert any(f"--recipe recipes/{path.name}" in line for line in head)
    evidence = next(line for line in head if line.startswith("# Evidence: "))
    assert "not run yet" not in evidence
    assert any(character.isdigit() for character in evidence)


def test_there_are_recipes() -> None:
    assert len(RECIPES) >= 7
