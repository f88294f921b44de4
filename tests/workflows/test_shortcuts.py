"""workflows/shortcuts.py, through the command: what is planted is named, what cannot be asked is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tellapart.cli.check import command


def _write(folder: Path, number: int, *, quality: int, red: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place in range(number):
        random = np.random.default_rng([place, len(folder.name)])
        pixels = random.integers(0, 200, size=(6, 6, 3))
        pixels[..., 0] += red
        Image.fromarray(pixels.astype(np.uint8)).resize((48, 48)).save(folder / f"{place}.jpg", quality=quality)


def _check(*arguments: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(command, [*map(str, arguments), "--shortcuts", "--json", "--quiet"])
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)["shortcuts"]
    return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in two classes, one saved more coarsely, the other redder."""
    source = tmp_path_factory.mktemp("planted") / "cells"
    _write(source / "good", 24, quality=95)
    _write(source / "defective", 24, quality=60, red=50)
    return source


def test_what_is_planted_is_found_and_named(planted: Path) -> None:
    found = _check(planted)
    assert found["pictures"] == 48
    assert found["left_out"] == 0
    assert [fact["fact"] for fact in found["file"]["facts"]] == ["compression"]
    assert found["file"]["value"] == 1.0
    assert found["file"]["low"] > found["file"]["chance"] == 0.5
    assert found["file"]["classes"] == {"defective": 1.0, "good": 1.0}
    assert found["colour"]["value"] > 0.95
    assert set(found) == {
        *("pictures", "left_out", "file", "bytes", "name", "whole", "border", "masked", "marks", "thumbnail", "colour")
    }
    for part in ("border", "masked", "marks", "thumbnail", "colour", "whole"):
        assert set(found[part]) == {"value", "low", "high", "chance", "classes"}


def test_it_is_told_in_sentences(planted: Path) -> None:
    result = CliRunner().invoke(command, [str(planted), "--shortcuts", "--quiet"])
    assert result.exit_code == 0, result.output
    assert "Is it the object, or the camera? Of 48 pictures the class is guessed from" in result.stdout
    assert (
        "! The file alone tells the class in 100.0 % (100.0 to 100.0), where chance is 50.0 %: how the JPEG was compressed does."
        in result.stdout
    )
    assert "! The colours alone, whatever is where: " in result.stdout


def test_files_that_are_alike_are_no_shortcut(tmp_path: Path) -> None:
    for name in ("a", "bb"):
        _write(tmp_path / "alike" / name, 20, quality=90)
    found = _check(tmp_path / "alike")
    assert found["file"]["facts"] == []
    assert found["file"]["value"] == 0.5


def test_a_class_of_copies_is_left_out(planted: Path, tmp_path: Path) -> None:
    source = tmp_path / "cells"
    for name in ("good", "defective"):
        (source / name).mkdir(parents=True)
        for path in sorted((planted / name).iterdir())[:6]:
            (source / name / path.name).write_bytes(path.read_bytes())
    (source / "odd").mkdir()
    for number in range(3):
        Image.new("RGB", (40, 40), "blue").save(source / "odd" / f"{number}.png")
    found = _check(source)
    assert found["left_out"] == 3
    assert "odd" not in found["file"]["classes"]


def test_one_class_cannot_be_told_from_itself(tmp_path: Path) -> None:
    _write(tmp_path / "one" / "a", 4, quality=90)
    (tmp_path / "one" / "b").mkdir()
    Image.new("RGB", (40, 40), "blue").save(tmp_path / "one" / "b" / "1.png")
    result = CliRunner().invoke(command, [str(tmp_path / "one"), "--shortcuts", "--quiet"], standalone_mode=False)
    assert str(result.exception) == (
        f"{tmp_path / 'one'} has 1 class with two pictures that are no copies of each other; shortcuts can be looked for between "
        "two. Add pictures, or leave --shortcuts out."
    )


def test_several_classes_a_picture_are_refused(planted: Path) -> None:
    table = planted.parent / "sets.csv"
    rows = [f"cells/good/{number}.jpg,good|{'old' if number % 2 else 'new'}" for number in range(8)]
    table.write_text("path,labels\n" + "\n".join(rows) + "\n", encoding="utf-8")
    result = CliRunner().invoke(command, [str(table), "--shortcuts", "--quiet"], standalone_mode=False)
    assert str(result.exception) == (
        "shortcuts are looked for where each picture has one class, and the task here is multilabel. Leave --shortcuts out."
    )


def test_flags_that_nothing_looks_at_are_told(planted: Path) -> None:
    result = CliRunner().invoke(command, [str(planted), "--seed", "3"], standalone_mode=False)
    assert str(result.exception) == (
        "--seed is '3', which only --labels and --shortcuts look at. Add --labels, or leave --seed out."
    )
    result = CliRunner().invoke(command, [str(planted), "--shortcuts", "--out", "x.csv"], standalone_mode=False)
    assert str(result.exception) == (
        "--out is 'x.csv', which only --labels looks at. Add --labels, or leave --out out."
    )
