"""Options that take several words: what is theirs, and what is the command's argument. In: arguments. Out: what was read."""

from __future__ import annotations

from collections.abc import Sequence

import click
import pytest
from click.testing import CliRunner

from tellapart.cli.several import SeveralWords


@click.command(cls=SeveralWords)
@click.argument("run")
@click.option("--to", "formats", type=click.Choice(["onnx", "openvino", "ncnn"]), multiple=True)
@click.option("--for", "languages", type=click.Choice(["python", "c++"]), multiple=True, default=("python",))
@click.option("--tools")
@click.option("--set", "lines", multiple=True)
@click.option("--quiet", is_flag=True)
def command(
    run: str, formats: Sequence[str], languages: Sequence[str], tools: str | None, lines: Sequence[str], quiet: bool
) -> None:
    """Tell what was read."""
    click.echo(f"{run} {','.join(formats)} {','.join(languages)} {tools} {','.join(lines)} {quiet}")


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("run --to onnx openvino ncnn", "run onnx,openvino,ncnn python None  False"),
        ("run --to onnx --to ncnn", "run onnx,ncnn python None  False"),
        ("run --to onnx ncnn --quiet --to openvino", "run onnx,ncnn,openvino python None  True"),
        ("--to onnx openvino run", "run onnx,openvino python None  False"),
        ("--to onnx run ncnn", "run onnx,ncnn python None  False"),
        ("--to onnx ncnn -- run", "run onnx,ncnn python None  False"),
        ("--to=onnx run", "run onnx python None  False"),
        ("run --to onnx --for c++ python --tools there", "run onnx c++,python there  False"),
        ("--tools there --to onnx ncnn run", "run onnx,ncnn python there  False"),
        ("--set a=1 run --to onnx ncnn", "run onnx,ncnn python None a=1 False"),  # no list of words: one each time
        ("onnx --to ncnn openvino", "onnx ncnn,openvino python None  False"),  # a run may be called like a format
    ],
)
def test_words_that_follow_are_the_options(said: str, read: str) -> None:
    found = CliRunner().invoke(command, said.split())
    assert found.exit_code == 0, found.output
    assert found.output.rstrip("\n") == read


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("run --to onnx tflite", "'tflite' is not one of 'onnx', 'openvino', 'ncnn'"),
        ("--to onnx run tflite", "'tflite' is not one of 'onnx', 'openvino', 'ncnn'"),
        ("run --to tflite onnx", "'tflite' is not one of"),
        ("--to onnx ncnn", "Missing argument 'RUN'"),
        ("run --to", "Option '--to' requires an argument"),
        ("run other --to onnx", "Got unexpected extra argument"),
        ("run --set a=1 b=2", "Got unexpected extra argument"),
    ],
)
def test_a_word_that_is_none_of_the_list_is_told(said: str, says: str) -> None:
    found = CliRunner().invoke(command, said.split())
    assert found.exit_code == 2
    assert says in found.output
