"""What a command line of predict means. In: arguments, standard input. Out: a model and pictures, or what to type instead."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from tellapart.cli.asked import choose_model, items


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


@pytest.mark.parametrize("layout", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_picture_on_standard_input(here: Path, layout: str) -> None:
    from PIL import Image

    Image.open(here / "colours" / "green" / "0.png").convert("RGB").save(here / "one", layout)
    answer = predict("-", folder=here, input=(here / "one").read_bytes())
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.split()[1:] == [b"green", b"-"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\0"])
@pytest.mark.parametrize("way", ["-", "--list", "--list -"])
def test_lists_of_paths(here: Path, end: str, way: str) -> None:
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
    assert b"Error: 'list.txt' is no list of pictures: a path or address a line, in UTF-8." in answer.stderr


def test_a_path_with_a_nul_is_no_pattern(here: Path) -> None:
    assert [item.path for item in items(["a\0[b].png"], None)] == ["a\0[b].png"]


def test_lists_and_arguments_go_together_and_bad_bytes_stay(here: Path) -> None:
    odd = os.fsdecode(b"colours/\xe9.png")
    shutil.copy("colours/green/0.png", odd)
    (here / "list.txt").write_bytes(b"colours/\xe9.png\n")
    assert [item.path for item in items(["colours/blue"], here / "list.txt")] == [
        *(f"colours/blue/{number}.png" for number in range(len(os.listdir("colours/blue")))),
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
