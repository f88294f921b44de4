"""`tellapart check` on pictures with masks. In: folders, archives, tables. Out: what is said, as text and as JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tellapart.cli.main import execute
from tests.data.mask_data import halves, write_mask, write_picture, write_set


def ran(capsys: pytest.CaptureFixture[str], *told: str) -> tuple[str, str]:
    """What stands on standard output and standard error."""
    assert execute(["check", *told]) == 0
    said = capsys.readouterr()
    return said.out, said.err


def test_what_was_found_and_why_and_how_much_of_each_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path, {name: halves(0, 255) for name in "abcd"})
    write_mask(tmp_path / "masks" / "d.jpg", halves(0, 1))
    (tmp_path / "masks" / "d.png").unlink()
    write_picture(tmp_path / "images" / "alone.jpg", seed=9)
    out, err = ran(capsys, str(tmp_path))
    assert "images/ beside masks/ with pictures in both, read as pictures with masks (task segmentation)." in err
    assert "Checking masks: 4 of 4" in err
    assert "masks of 0 and 255, read as background and foreground; --classes names them." in err
    assert [line.split() for line in out.splitlines()[:8]] == [
        ["class", "pictures"],
        ["background", "3"],
        ["foreground", "3"],
        ["all", "3"],
        [],
        ["pixels", "in", "all", "share"],
        ["background", "144", "50.00", "%"],
        ["foreground", "144", "50.00", "%"],
    ]
    assert "! no mask: 1 picture, such as images/alone.jpg; what it shows is not known, so it is left out." in out
    assert "! unreadable mask: 1 picture, such as images/d.jpg (a mask saved as JPEG, which changes values" in out
    record = json.loads(ran(capsys, str(tmp_path), "--json", "--quiet", "--classes", "wall,cell")[0])
    assert record["task"] == "segmentation"
    assert record["masks"]["pixels"] == {"": {"wall": 144, "cell": 144}}
    assert [fault["path"] for fault in record["masks"]["faults"]["no mask"]] == [str(tmp_path / "images" / "alone.jpg")]


def test_copies_whose_masks_differ(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path, {name: halves(0, 255) for name in "abc"})
    shutil.copy(tmp_path / "images" / "a.jpg", tmp_path / "images" / "d.jpg")
    write_mask(tmp_path / "masks" / "d.png", halves(255, 0))
    out, _ = ran(capsys, str(tmp_path))
    assert (
        "! TWO MASKS: exactly the same picture has different masks (1 cluster), such as images/a.jpg = images/d.jpg"
        in out
    )
    assert "images/a.jpg = images/d.jpg, background 50 %, foreground 50 % = background 50 %, foreground 50 %" in out


def test_what_is_refused_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask = halves(0, 3)
    mask[0] = 1
    write_set(tmp_path, dict.fromkeys("abc", mask))
    assert execute(["check", str(tmp_path), "--classes", "a,b"]) == 2
    assert "have the value 3, such as a.png, and --classes has 2 names (a, b)" in capsys.readouterr().err
    for name in "abc":
        noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3))
        write_picture(tmp_path / "images" / f"{name}.jpg", 40, 40)
        write_mask(tmp_path / "masks" / f"{name}.png", noise)
    assert execute(["check", str(tmp_path)]) == 2
    assert "none of the 3 masks of" in (said := capsys.readouterr().err)
    assert "more than 256 different values, as a photo has" in said


def test_one_class_everywhere_is_no_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path, {name: halves(1, 1) for name in "abcd"})
    out, _ = ran(capsys, str(tmp_path))
    assert "has only one class, '1'; telling apart needs two. Add pictures whose masks show another one" in out
    assert "masks of '1' alone: 4 of 4 pictures; they stay." in out


def test_labels_and_corrections_are_of_whole_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_set(tmp_path, {name: halves(0, 1) for name in "abc"})
    (tmp_path / "fixed.csv").write_text("path,label\nimages/a.jpg,x\n")
    assert execute(["check", str(tmp_path), "--corrections", str(tmp_path / "fixed.csv")]) == 2
    assert "say what a whole picture is, and" in (said := capsys.readouterr().err)
    assert "has masks. Correct the annotations themselves" in said
