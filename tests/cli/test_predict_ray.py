"""`tellapart predict --ray` where Ray is not installed, and with flags that do not go with it. In: command lines. Out: messages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tellapart.cli.main import execute


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "--format csv --out x",
            "--format csv is not for --ray, which writes parquet files. Leave --format out, or --ray.",
        ),
        ("--draw x --out x", "--draw is not for --ray, which writes parquet files of rows. Leave one of them out."),
        (
            "--server http://a --out x",
            "--server is not for --ray, which writes parquet files of rows. Leave one of them out.",
        ),
        ("", "--ray writes parquet files, and no folder is named for them. Name one with --out FOLDER."),
        (
            "--list - --out x",
            "- is not for --ray: standard input cannot be read again by who goes on. Save the list, and name it",
        ),
        (
            "--ray=nowhere --out x",
            "--ray nowhere names no Ray cluster: it is auto for the one that this machine is part of",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    more: str, said: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["predict", str(tiny_model), "a.png", "--ray", *more.split()]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_without_the_extra_the_message_has_the_command(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("ray"):
        pytest.skip("Ray is installed")
    assert execute(["predict", str(tiny_model), "a.png", "--ray", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "Error: `tellapart predict --ray` needs the package 'ray', which is not installed. Install the extra with: "
        'pip install "tellapart[ray]"\n'
    )
    assert not (tmp_path / "out").exists()
