"""What `tellapart check` prints of a finding."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tellapart.cli.check import _shown, command
from tellapart.cli.doubts import _table
from tests.data.made_scenes import cropped, made_scene


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("a/x/a/1.jpg", "x/a/1.jpg"),  # a folder in it that is called like the data set stays
        ("ba/a/1.jpg", "ba/a/1.jpg"),
        (["a/a/1.jpg", "a/x/1.jpg"], "a/1.jpg = x/1.jpg"),
        ({"path": "a/a/1.jpg", "reason": "no picture of a/ a cat"}, "a/1.jpg, no picture of a/ a cat"),
        ({"paths": ["a/x/1.jpg", "a/a/1.jpg"], "labels": ["x", "a/"], "exact": True}, "x/1.jpg = a/1.jpg, x = a/"),
        (
            {"paths": ["a/x/1.jpg", "a/a/1.jpg"], "labels": ["x", "a"], "exact": False},
            "x/1.jpg = a/1.jpg, x = a, nearly the same",
        ),
        ({"paths": ["a/t/1.jpg", "a/v/1.jpg"], "splits": ["train", "test"]}, "t/1.jpg = v/1.jpg, train = test"),
    ],
)
def test_paths_lose_the_data_set_in_front_and_nothing_else(item: Any, said: str) -> None:
    def native(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace("/", os.sep)
        if isinstance(value, list):
            return [native(one) for one in value]
        return {name: native(one) for name, one in value.items()} if isinstance(value, dict) else value

    assert _shown(native(item), "a") == said.replace("/", os.sep)


@pytest.mark.slow
def test_augmented_copies_are_told_apart_from_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))
    for label, first in (("cat", 0), ("dog", 10)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(first, first + 5):
            made_scene(number).save(tmp_path / "pictures" / label / f"{number}.png")
    cropped(made_scene(3), 0.75).save(tmp_path / "pictures" / "dog" / "crop.png")

    def said(*options: str) -> str:
        result = CliRunner().invoke(command, [str(tmp_path / "pictures"), "--quiet", *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert "augmented copies were not looked for; --deep does." in said()
    assert json.loads(said("--json"))["augmented"] is None
    deep = said("--deep")
    assert "Augmented copies, what looks like the original first (1):\n  cat/3.png = dog/crop.png" in deep
    assert "TWO LABELS: nearly the same picture stands under different labels (1 cluster)" in deep
    assert said() == deep  # from now on it costs nothing
    assert json.loads(said("--json"))["augmented"] == 1


def test_what_is_wrong_with_a_set_of_classes_is_not_cut_off() -> None:
    path, many = "collages/pictures/0150.jpg", "cat|dog|hand sign|raccoon"
    rows = [
        {"path": path, "label": many, "suggested": "cat|dog|raccoon", "score": 0.978},
        {"path": path, "label": "cat", "suggested": "x|" * 30, "score": 0.9},
    ]
    head, first, second = _table(rows, "Probably wrong labels", None, "picture")[2:]
    assert first == f"  {path:<44}{many} cat|dog|raccoon{' ' * 26}  0.978"
    assert second == f"  {path:<44}cat{' ' * 23}{'x|' * 18}x...   0.900"
    assert head == f"  {'picture':<44}{'label':<26}{'looks like':<41}  score"
    one = [{"path": path, "label": "cat", "suggested": "dog", "score": 0.5}]
    assert _table(one, "Outliers", None, "picture")[3] == f"  {path:<44}{'cat':<20}{'dog':<20}  0.500"


def test_how_the_data_were_read_is_told_whatever_is_asked_for(colours: Path, tmp_path: Path) -> None:
    rows = [f"{path.relative_to(colours)},{path.parent.name}" for path in sorted(colours.rglob("*.png"))]
    table = colours / "table.csv"
    table.write_text("\n".join(["image,species", *rows]), encoding="utf-8")

    def told(*options: str) -> tuple[str, str]:
        result = CliRunner().invoke(command, [str(table), *options])
        assert result.exit_code == 0, result.output
        return result.stdout, result.stderr

    note = "path from the column 'image'"
    loud, quiet, record = told(), told("--quiet"), told("--quiet", "--json")
    assert [note in text for text in (*loud, *quiet)] == [False, True, True, False]
    assert any(note in one for one in json.loads(record[0])["notes"])


def test_of_no_picture_that_can_be_read_no_sizes_are_shown(tmp_path: Path) -> None:
    for name in ("cat/1.png", "dog/1.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"nothing")
    text = CliRunner().invoke(command, [str(tmp_path)]).stdout
    assert "none of the 2 pictures in" in text
    assert "pixels, median" not in text
    assert "formats" not in text
