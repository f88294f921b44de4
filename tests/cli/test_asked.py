"""What a command line of predict means. In: arguments, standard input. Out: a model and pictures, or what to type instead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from tellapart.cli.asked import choose_model, count_rows, items, with_barren


def predict(*arguments: str | Path, folder: Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tellapart", "predict", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, cwd=folder, **options)


@pytest.fixture
def here(tmp_path: Path, tiny_model: Path, colours: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with runs/latest and pictures, in which one stands."""
    (tmp_path / "runs" / "latest").mkdir(parents=True)
    shutil.move(tiny_model, tmp_path / "runs" / "latest" / "model.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("given", ["cat.jpg", "-", "https://example.com/a", "pictures.zip", "a.tar.gz", "colours"])
def test_without_a_model_the_newest_run_is_taken(here: Path, given: str) -> None:
    assert choose_model((given, "b"), listed=False) == ("runs/latest", (given, "b"), True)


@pytest.mark.parametrize("given", ["m.onnx", "runs/latest", "runs", "no such thing", "model.bin"])
def test_what_is_no_picture_is_the_model(here: Path, given: str) -> None:
    assert choose_model((given, "cat.jpg"), listed=False) == (given, ("cat.jpg",), False)
    assert choose_model((given,), listed=True) == (given, (), False)
    with pytest.raises(click.UsageError, match=f"{given} is taken for the model, and no picture is named"):
        choose_model((given,), listed=False)


def test_where_there_is_no_newest_run_the_message_says_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        click.UsageError, match=r"no model is named.*tellapart predict MODEL 'my cat\.jpg'.*tellapart train"
    ):
        choose_model(("my cat.jpg",), listed=False)
    with pytest.raises(click.UsageError, match="--list names pictures, and no model is named"):
        choose_model((), listed=True)
    with pytest.raises(click.UsageError, match="Missing argument 'PATH...'"):
        choose_model((), listed=False)


def test_the_newest_run_is_told_and_used(here: Path) -> None:
    answer = predict("colours/green/0.png", folder=here)
    assert answer.returncode == 0
    assert b"green" in answer.stdout
    assert b"The model is that of runs/latest" in answer.stderr
    assert predict("colours/green/0.png", "--quiet", folder=here).stderr == b""


@pytest.mark.parametrize("layout", ["PNG", "GIF", "TIFF", "PPM"])
def test_a_picture_on_standard_input(here: Path, layout: str) -> None:
    from PIL import Image

    Image.open(here / "colours" / "green" / "0.png").convert("RGB").save(here / "one", layout)
    answer = predict("-", folder=here, input=(here / "one").read_bytes())
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split()[1:] == [b"green", b"-"]


@pytest.mark.parametrize(
    ("way", "end"), [("-", "\n"), ("-", "\r\n"), ("-", "\0"), ("--list", "\r\n"), ("--list -", "\n")]
)
def test_lists_of_paths(here: Path, way: str, end: str) -> None:
    paths = ["colours/green/0.png", "colours/红色/1.png"]
    text = ("" if end == "\0" else "\ufeff").encode() + "".join(path + end for path in paths).encode() + end.encode()
    (here / "list.txt").write_bytes(text)
    arguments = ["--list", "list.txt"] if way == "--list" else way.split()
    answer = predict(*arguments, folder=here, input=text)
    assert answer.returncode == 0, answer.stderr
    assert [line.split()[-1].decode() for line in answer.stdout.splitlines()] == paths


@pytest.mark.parametrize("text", ["picture", "a.png\r\nb.png\r\n"])
def test_what_is_no_list_is_told(here: Path, text: str) -> None:
    """A picture; and what `dir > list.txt` writes in older PowerShells."""
    picture = (here / "colours" / "green" / "0.png").read_bytes()
    (here / "list.txt").write_bytes(picture if text == "picture" else text.encode("utf-16"))
    answer = predict("--list", "list.txt", folder=here)
    assert answer.returncode == 2
    assert b"Error: 'list.txt' is no list of pictures: a path or address a line, in UTF-8, or a table." in answer.stderr


def test_a_path_with_a_nul_is_no_pattern(here: Path) -> None:
    assert [item.path for item in items(["a\0[b].png"], None)] == ["a\0[b].png"]


def test_lists_and_arguments_go_together_and_bad_bytes_stay(here: Path) -> None:
    odd = os.fsdecode(b"colours/\xe9.png")
    shutil.copy("colours/green/0.png", odd)
    (here / "list.txt").write_bytes(b"colours/\xe9.png\n")
    assert [item.path for item in items(["colours/blue"], here / "list.txt")] == [
        *(f"colours/blue/{number}.png" for number in range(len(os.listdir("colours/blue")))),
        "colours/blue",  # says that it holds none, and is left out of the answers where it does
        odd,
    ]
    answer = predict("--list", "none.txt", folder=here)
    assert answer.returncode == 2
    assert b"cannot use none.txt: it is not there" in answer.stderr


def test_a_private_address_needs_to_be_allowed(here: Path) -> None:
    answer = predict("http://127.0.0.1:9/a.png", folder=here)
    assert answer.returncode == 2
    assert b"127.0.0.1, no public address" in answer.stdout
    assert b"1 picture, 1 unreadable" in answer.stderr
    answer = predict("http://127.0.0.1:9/a.png", "--allow-private", folder=here)
    assert b"cannot be fetched: Connection refused" in answer.stdout


def test_a_table_given_as_a_list_is_read_by_its_column_of_paths(here: Path) -> None:
    (here / "colours" / "labels.csv").write_text("label,file\ngreen,green/0.png\nblue,gone.png\n")
    answer = predict("--list", "colours/labels.csv", "--format", "csv", folder=here)
    assert answer.returncode == 0, answer.stderr
    rows = answer.stdout.decode().splitlines()[1:]
    assert [row.split(",")[0] for row in rows] == ["colours/green/0.png", "colours/gone.png"]
    assert "no such file" in rows[1]
    assert b"colours/labels.csv is a table: its pictures are those of the column 'file'." in answer.stderr
    assert predict("--list", "colours/labels.csv", "--quiet", folder=here).stderr == b""


OTHERS = {
    "x.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "a 7z archive. Unpack it, and name the folder or the pictures"),
    "x.tar.xz": (b"\xfd7zXZ\0" + bytes(40), "a file packed with xz. Unpack it"),
    "x.rar": (b"Rar!\x1a\x07\0" + bytes(40), "a RAR archive. Unpack it"),
    "x.xlsx": (b"PK\3\4" + bytes(40), "a zip archive, or a table or document of Office. Unpack it"),
    "x.pdf": (b"%PDF-1.7", "a PDF document. Save its pages as PNG"),
    "x.csv": (b"path,label\n", "a table. With --list before it, the pictures that it names are taken"),
    "parquet": (b"PAR1" + bytes(40), "a parquet table. Name it by its ending .parquet"),
}


def test_what_is_no_picture_is_called_by_its_kind(here: Path) -> None:
    for name, (data, _) in OTHERS.items():
        (here / name).write_bytes(data)
        (here / "colours" / "blue" / name).write_bytes(data)
    answer = predict("runs/latest", *OTHERS, "--format", "csv", folder=here)
    assert answer.returncode == 2
    rows = answer.stdout.decode().splitlines()
    for name, (_, what) in OTHERS.items():
        (row,) = [row for row in rows if row.startswith(name)]
        assert f"not a picture in a known format, but {what}" in row
    # In a folder it is no news.
    found = predict("runs/latest", "colours", folder=here).stdout.decode()
    assert "green" in found
    assert not any(name in found for name in OTHERS)


def test_pictures_in_a_parquet_file(here: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    pictures = [(here / "colours" / label / "0.png").read_bytes() for label in ("green", "blue")]
    places = ["g.png", "b.png"]
    rows = [{"bytes": data, "path": path} for data, path in zip(pictures, places, strict=True)]
    parquet.write_table(pyarrow.table({"image": rows}), here / "x.parquet")
    parquet.write_table(pyarrow.table({"label": [1, 2]}), here / "colours" / "y.parquet")
    answer = predict("runs/latest", "x.parquet", folder=here)
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.decode().splitlines()
    assert [line.split()[-1] for line in lines] == ["x.parquet/0000000.png", "x.parquet/0000001.png"]
    assert [line.split()[1] for line in lines] == ["green", "blue"]
    without = predict("runs/latest", "colours/y.parquet", folder=here)
    assert without.returncode == 2
    assert b"must have one column of pictures, which holds their bytes; it has none" in without.stdout
    (here / "bad.parquet").write_bytes(b"PAR1" + bytes(40))
    broken = predict("runs/latest", "bad.parquet", folder=here)
    assert broken.returncode == 2
    assert b"cannot be read as parquet or Arrow" in broken.stdout
    # In a folder a file of pictures is read, and one without any is no news.
    shutil.move(here / "x.parquet", here / "colours" / "x.parquet")
    shown = predict("runs/latest", "colours", folder=here).stdout.decode()
    assert "colours/x.parquet/0000001.png" in shown
    assert "y.parquet" not in shown


def test_a_named_folder_without_a_picture_has_a_row_with_the_reason(here: Path) -> None:
    (here / "emp").mkdir()
    (here / "emp" / "read me.txt").write_text("none", "utf-8")
    (here / "cifpy").mkdir()
    (here / "cifpy" / "data_batch_1").write_bytes(b"\x80\x02}q\x00")
    answer = predict("emp", "colours/green", "cifpy", folder=here)
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.decode().splitlines()
    empty, *between, pickled = lines[-2 - len(list((here / "colours" / "green").iterdir())) :]
    assert empty.split(maxsplit=1) == ["unreadable", "emp  (holds no picture)"]
    assert all("colours/green/" in line for line in between)
    assert pickled.startswith("unreadable")
    assert "are pickles, as CIFAR's Python version has them; opening one can run any code" in pickled
    assert b"2 unreadable" in answer.stderr


@dataclass
class Row:
    path: str
    error: str = ""


def test_barren_folders_stand_in_their_places(tmp_path: Path) -> None:
    for name in ("a", "b", "pickled", "full"):
        (tmp_path / name).mkdir()
    (tmp_path / "pickled" / "data_batch_1").write_bytes(b"\x80\x02}q\x00")
    (tmp_path / "x.png").write_bytes(b"")
    (tmp_path / "full" / "y.png").write_bytes(b"")
    (tmp_path / "list.txt").write_text(str(tmp_path / "x.png"), encoding="utf-8")

    def told(*names: str, listed: Path | None = None) -> list[str]:
        paths = [str(tmp_path / name) for name in names]
        # As a model does: a file without a picture's ending that nobody named is passed over.
        rows = [Row(item.path, item.error) for item in items(paths, listed) if not item.path.endswith("_1")]
        return [
            os.path.relpath(row.path, tmp_path) for row in with_barren(rows, paths, lambda why, path: Row(path, why))
        ]

    assert told("a", "x.png", "b") == ["a", "x.png", "b"]
    assert told("x.png", "a", "x.png") == ["x.png", "a", "x.png"]
    assert told("a", "full", "b", "full") == ["a", "full/y.png", "b", "full/y.png"]
    assert told("a", "pickled", "b") == ["a", "pickled", "b"]
    assert told("a", listed=tmp_path / "list.txt") == ["a", "x.png"]
    assert told("a", "b") == []  # no folder says why: the command says so as a whole


def test_rows_are_counted_before_they_are_there(here: Path) -> None:
    """What is said of folders that hold pictures counts nothing; a folder without any has its row."""
    (here / "empty").mkdir()
    pictures = len(list((here / "colours").rglob("*.png")))
    assert count_rows(items(["colours"], None)) == pictures
    assert count_rows(items(["colours/green/0.png", "empty", "colours", "missing.png"], None)) == pictures + 3
