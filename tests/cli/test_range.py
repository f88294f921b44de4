"""The range of pictures of more than 8 bits, as a flag. In: --range. Out: audits, sheets and settings that use it, and say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.cli import augment, check, evaluate, train
from tellapart.cli.main import execute


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Grey pictures of 16 bits with values up to 4,000."""
    random = np.random.default_rng(0)
    for label in ("a", "b"):
        (tmp_path / "deep" / label).mkdir(parents=True)
        for number in range(3):
            values = random.integers(0, 4000, (24, 24)).astype(np.uint16)
            Image.fromarray(values).save(tmp_path / "deep" / label / f"{number}.png")
    return tmp_path / "deep"


def test_every_command_that_messages_name_it_for_has_the_flag() -> None:
    for command, has in ((check, True), (augment, True), (train, True), (evaluate, False)):
        options = {option for parameter in command.command.params for option in parameter.opts}
        assert ("--range" in options) is has


def test_check_says_the_range_that_was_told_and_not_the_one_it_would_have_found(
    deep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["check", str(deep), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["depth"]["range"] == [0, 4095]
    assert any(
        "0:4095 from black to white. --range LOW:HIGH says otherwise" in one["message"] for one in found["findings"]
    )
    assert execute(["check", str(deep), "--range", "0:2000", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["depth"]["range"] == [0, 2000]
    assert len(told["depth"]["outside"]) == 6
    text = "\n".join(one["message"] for one in told["findings"])
    assert "all are read by the range that you told, 0:2000 from black to white." in text
    assert "6 pictures of more than 8 bits do not fit into the range that you told, such as" in text
    assert "4095" not in text
    assert "says otherwise" not in text
    assert tellapart.check(deep, value_range="0:2000")["depth"] == told["depth"]


def test_a_training_s_flag_and_its_setting_are_one() -> None:
    from tellapart.settings.reading import make_settings

    by_flag, by_setting = (
        train.told_settings({"data": "x", "value_range": "0:9"}, ()),
        train.told_settings({"data": "x"}, ("data.range=0:9",)),
    )
    assert by_flag == by_setting
    assert make_settings(by_flag).read_options.span == (0, 9)


def test_what_is_no_range_is_told(deep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", str(deep), "--range", "9"]) == 2
    assert capsys.readouterr().err == (
        "Error: --range is '9'; a range is LOW:HIGH, two numbers with the lower first, such as 0:4095. "
        "Correct it and run again.\n"
    )


def test_a_sheet_is_drawn_by_the_range_and_says_where_it_knows_none(
    deep: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    sheets = {}
    for flags in ((), ("--range", "0:4095")):
        out = tmp_path / f"sheet{len(flags)}.png"
        assert execute(["augment", str(deep), "--out", str(out), "--preset", "none", "--size", "16", *flags]) == 0
        sheets[flags] = np.asarray(Image.open(out).convert("L"))
        told = capsys.readouterr().err
        assert ("--range LOW:HIGH shows them so" in told) is (flags == ())
    assert sheets[()].shape == sheets[("--range", "0:4095")].shape
    assert sheets[("--range", "0:4095")].mean() > sheets[()].mean() + 5  # by its kind, 4,000 of 65,535 is black


def test_a_sheet_reads_tables_as_a_training_does(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{path.relative_to(colours)},{path.parent.name},{path.parent.name}" for path in colours.rglob("*.png")]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["file,one,other", *rows]), encoding="utf-8")
    line = ["augment", str(table), "--out", str(tmp_path / "sheet.png"), "--size", "16"]
    assert execute(line) == 2  # no column is called as labels are
    flags = ["--label-column", "one", "--root", str(colours)]
    assert execute([*line, *flags, "--json"]) == 0
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)["labels"]) == {"blue", "green", "红色"}
    assert "path from the column 'file'" in shown.err
    # A recipe says how its data set is read, too, and a flag wins over it.
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'[settings]\n[settings.reading]\nlabel_column = "none"\nroot = "{colours.as_posix()}"\n', encoding="utf-8"
    )
    line += ["--force", "--recipe", str(recipe)]
    assert execute(line) == 2
    assert "has no column 'none'" in capsys.readouterr().err
    assert execute([*line, "--label-column", "other"]) == 0
    assert execute([*line, "--label-column", "other", "--task", "multilabel"]) == 0
