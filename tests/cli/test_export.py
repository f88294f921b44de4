"""`tellapart export` at its edges: formats, shares, runs that are none. In: arguments. Out: exit codes and messages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.cli.export import FORMATS, LANGUAGES, Share
from tellapart.cli.main import execute
from tellapart.export.samples import SAMPLES
from tellapart.export.table import FORMATS as TABLE


def test_the_command_offers_what_the_table_has() -> None:
    assert tuple(TABLE) == FORMATS
    assert tuple(SAMPLES) == LANGUAGES


@pytest.mark.parametrize(("said", "share"), [("0.5%", 0.005), ("0.005", 0.005), ("100 %", 1.0), ("0", 0.0)])
def test_a_share_is_read_in_percent_too(said: str, share: float) -> None:
    assert Share().convert(said, None, None) == pytest.approx(share)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "onnx", "--most-flipped", "5"], "'5' is no share; give one such as 5% or 0.05."),
        (["--to", "onnx", "--most-flipped", "500"], "'500' is no share; give one such as 0.5% or 0.005."),
        (["--to", "onnx", "--most-flipped", "-1%"], "'-1%' is no share"),
        (["--to", "onnx", "--most-flipped", "few"], "'few' is no share"),
        (["--to", "tflite"], "'tflite' is not one of 'onnx'"),
        ([], "Missing option '--to'"),
        (["--to", "onnx"], "is not the folder of a run: it has no recipe.toml. Give a folder under runs/."),
    ],
)
def test_what_cannot_be_asked_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert execute(["export", str(tmp_path), *arguments]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
