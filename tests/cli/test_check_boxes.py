"""What `tellapart check` says of pictures with boxes, and what nothing does with them yet."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tellapart.cli.check import command as check
from tellapart.data.targets import Box
from tellapart.errors import TellapartError
from tests.data.box_forms import Page, save_picture, voc_text, write_coco, write_voc, write_yolo


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path / "cache"))


def said(folder: Path, *options: str) -> str:
    result = CliRunner().invoke(check, [str(folder), "--quiet", *options])
    assert result.exit_code == 0, result.output
    return result.output


def refusal(command: Any, *arguments: str) -> str:
    result = CliRunner().invoke(command, [*arguments, "--quiet"])
    assert isinstance(result.exception, TellapartError), result.output
    return str(result.exception)


def pages(count: int = 6) -> list[Page]:
    """Pictures with a cell each, two of them with a small dot, the last with nothing."""
    cell = Box("cell", 10, 10, 60, 50)
    rows = [(cell, Box("dot", 70, 70, 73, 73)) if number < 3 else (cell,) for number in range(count - 1)]
    return [(f"{number}.png", (120, 100), boxes) for number, boxes in enumerate([*rows, ()])]


def test_counts_sizes_and_what_is_small(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_voc(folder, pages())
    lines = said(folder).splitlines()
    assert lines[0] == f"{folder}: boxes in Pascal VOC's XML, read as pictures with boxes (task detection)."
    assert "all                                      6" in lines
    assert lines[lines.index("boxes                               in all   median size") + 1 :][:2] == [
        "cell                                     5         45 px",
        "dot                                      3          3 px",
    ]
    assert "  pictures without boxes: 1 of 6; they stay, and teach what is no thing." in lines
    # 3 pixels of 120 are 8 of 320: not under it.
    assert not [line for line in lines if line.startswith("! small:")]


def test_every_kind_of_repair_is_told_and_listed(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_coco(folder, pages())
    path = folder / "annotations" / "instances.json"
    content = json.loads(path.read_text())
    boxes = content["annotations"]
    for place, box in enumerate(
        [[100, 10, 50, 50], [10, 10, 0, 5], [500, 500, 5, 5], [60, 50, -50, -40], [1, 1, None, 3]]
    ):
        boxes[place]["bbox"] = box
    boxes.append(dict(boxes[5], id=99_999))
    path.write_text(json.dumps(content))
    (folder / "images" / "5.png").unlink()
    record = json.loads(said(folder, "--json"))
    assert record["task"] == "detection"
    faults = record["boxes"]["faults"]
    assert {kind: sum(one["count"] for one in found) for kind, found in faults.items()} == {
        "no picture": 1,
        "not a number": 1,
        "corners exchanged": 1,
        "outside": 1,
        "clipped": 1,
        "no area": 1,
        "repeated": 1,
    }
    said_first = {one["message"].partition(":")[0]: one["severity"] for one in record["findings"]}
    assert {said_first[kind] for kind in ("no picture", "outside", "clipped", "no area", "repeated")} == {"warning"}
    assert said_first["corners exchanged"] == "note"


def test_the_examples_are_seen_from_the_data_set(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_yolo(folder, pages())
    (folder / "labels" / "0.txt").write_text("0 0.95 0.5 0.2 0.2\n")
    assert "! clipped: 1 box in 1 picture, such as images/0.png; partly outside the picture; cut at its edge." in said(
        folder
    )


def test_copies_whose_boxes_differ(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_voc(folder, pages())
    shutil.copy(folder / "JPEGImages" / "0.png", folder / "JPEGImages" / "copy.png")
    (folder / "Annotations" / "copy.xml").write_text(voc_text(("copy.png", (120, 100), (Box("cell", 11, 10, 60, 50),))))
    text = said(folder)
    told = "TWO SETS OF BOXES: exactly the same picture has different boxes (1 cluster), such as "
    told += "JPEGImages/0.png = JPEGImages/copy.png"
    assert f"! {told} (1 cell; 1 cell, 1 dot). Only one can be right; correct or remove the others." in text
    assert "  JPEGImages/0.png = JPEGImages/copy.png, 1 cell, 1 dot = 1 cell" in text
    (folder / "Annotations" / "copy.xml").write_text(
        voc_text(("copy.png", (120, 100), (Box("cell", 11, 10, 60, 50), Box("dot", 70, 70, 73, 72))))
    )
    assert "TWO SETS OF BOXES" not in said(folder)


def test_one_class_is_enough_and_a_crop_is_no_matter(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_voc(folder, [(f"{number}.png", (300, 40), (Box("cell", 1, 1, 30, 30),)) for number in range(4)])
    record = json.loads(said(folder, "--json"))
    errors = [one["message"] for one in record["findings"] if one["severity"] == "error"]
    assert errors == []
    assert not [one for one in record["findings"] if "cropped" in one["message"] or "odd shape" in one["message"]]


def test_no_box_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_coco(folder, [("a.png", (50, 50), ()), ("b.png", (50, 50), ())])
    assert f"! {folder} names no class: no picture has a box. Add boxes." in said(folder)


def test_one_picture(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_voc(folder, pages(2)[:1])
    assert "! classes 'cell' has 1, 'dot' has 1: fewer different pictures than 3, which train, validation" in said(
        folder
    )


def test_pictures_of_20_000_pixels(tmp_path: Path) -> None:
    """A side may be so long; what would take a gigabyte is left out before it is opened."""
    folder = tmp_path / "set"
    write_voc(folder, [*pages(4), ("wide.png", (20_000, 30), (Box("cell", 100, 2, 15_000, 29),))])
    huge = ("huge.png", (20_000, 20_000), (Box("cell", 5, 5, 19_000, 18_000),))
    (folder / "Annotations" / "huge.xml").write_text(voc_text(huge), encoding="utf-8")

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1_000)))
    (folder / "JPEGImages" / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b""))
    record = json.loads(said(folder, "--json"))
    told = [one["message"] for one in record["findings"]]
    assert any("huge.png (more than 170,000,000 pixels, the limit. Store it smaller)" in one for one in told)
    assert record["boxes"]["boxes"] == {"": {"cell": 4, "dot": 3}}
    assert record["boxes"]["box_sizes"]["cell"]["most"] == pytest.approx((14_900 * 27) ** 0.5, abs=1e-3)


def test_pictures_that_exif_turns(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_voc(folder, pages())
    for number in (0, 1):
        save_picture(folder / "JPEGImages" / f"{number}.png", (120, 100), orientation=6)
    (folder / "Annotations" / "1.xml").write_text(voc_text(("1.png", (120, 100), pages()[1][2]), size=(0, 0)))
    record = json.loads(said(folder, "--json"))
    faults = {kind: [Path(one["path"]).name for one in found] for kind, found in record["boxes"]["faults"].items()}
    assert faults == {"turned": ["0.png"], "perhaps turned": ["1.png"]}


def test_labels_and_corrections_are_of_whole_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_voc(folder, pages())
    table = tmp_path / "corrections.csv"
    table.write_text("path,label\nJPEGImages/0.png,cell\n")
    text = refusal(check, str(folder), "--corrections", str(table))
    assert text == (
        f"the table {str(table)!r} has 'cell' in row 2, which is no JSON list of [label, left, top, right, bottom] with left "
        "under right and top under bottom. Correct it; [] is a picture without boxes."
    )


@pytest.mark.parametrize(
    ("name", "what"),
    [("annotations/instances.json", "annotations in COCO's JSON"), ("data.yaml", "the settings of a YOLO data set")],
)
def test_an_annotation_alone_names_the_folder_to_give(name: str, what: str, tmp_path: Path) -> None:
    (write_yolo if name == "data.yaml" else write_coco)(tmp_path / "set", pages())
    path = tmp_path / "set" / name
    text = f"{str(path)!r} is {what}, which names pictures that lie around it. Give the folder that holds both."
    assert refusal(check, str(path)) == text
