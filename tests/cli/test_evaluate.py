"""`tellapart evaluate` as it is typed. In: a tiny model, folders, tables. Out: figures, notes, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tellapart.cli.main import execute


def masks_beside(folder: Path) -> Path:
    for name, colour in (("images", (0, 0, 250)), ("masks", (0, 250, 0))):
        (folder / "set" / name).mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (20, 20), colour).save(folder / "set" / name / f"{number}.png")
    return folder / "set"


def test_a_data_set_of_another_task_is_refused_with_the_reason(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = masks_beside(tmp_path)
    assert execute(["evaluate", str(tiny_model), str(pictures), "--quiet"]) == 2
    assert "looks like a data set for segmentation: images/ beside masks/" in capsys.readouterr().err
    # Told that they are classes, it reads them, and finds that the model has none of that name.
    assert execute(["evaluate", str(tiny_model), str(pictures), "--quiet", "--task", "classification"]) == 2
    assert "the label 'images', of 3 pictures" in capsys.readouterr().err


def test_a_task_that_the_model_did_not_learn_is_refused(
    tiny_model: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["evaluate", str(tiny_model), str(colours), "--task", "multilabel"]) == 2
    told = capsys.readouterr().err
    assert f"the task is 'multilabel', and {tiny_model} learned classification. Leave --task out" in told


def test_quiet_keeps_how_the_pictures_were_read(
    tiny_model: Path, colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{path.relative_to(colours)},{path.parent.name},x" for path in sorted(colours.rglob("*.png"))]
    table = colours / "t.csv"
    table.write_text("\n".join(["image,species,subset", *rows]), encoding="utf-8")
    said = {}
    for flags in ((), ("--quiet",), ("--quiet", "--json")):
        assert execute(["evaluate", str(tiny_model), str(table), *flags]) == 0
        said[flags] = capsys.readouterr()
    for shown in said.values():
        assert "path from the column 'image', label from the column 'species'" in shown.err
        assert "'subset' may be a split, but is not read" in shown.err
        assert shown.err.count("species") == 1
    assert "Predicting" in said[()].err
    assert "Predicting" not in said[("--quiet",)].err
    notes = json.loads(said[("--quiet", "--json")].out)["notes"]
    assert [f"! {note}" for note in notes] == said[("--quiet", "--json")].err.splitlines()
