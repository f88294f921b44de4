"""What may be tried, as it is typed and as a file says it. In: texts. Out: a space, or a sentence that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.errors import SettingsError
from tellapart.settings.space import (
    TriedRange,
    TriedValues,
    combinations,
    parse_try,
    read_space,
    space_of,
    values_of,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("loop.learning_rate=1e-3,1e-2", TriedValues(values=(1e-3, 1e-2))),
        ("network.dense.units=32,64,128", TriedValues(values=(32, 64, 128))),
        ("loop.optimizer=adamw, sgd", TriedValues(values=("adamw", "sgd"))),
        ("finetune.unfreeze=half,0.25,3", TriedValues(values=("half", 0.25, 3))),
        (
            "network.blocks=[{filters = 8}],[{filters = 8}, {}]",
            TriedValues(values=([{"filters": 8}], [{"filters": 8}, {}])),
        ),
        ("loop.channels_last=true,false", TriedValues(values=(True, False))),
        ("probe.strength=1e-5:10:log", TriedRange(low=1e-5, high=10, logarithmic=True)),
        ("augment.rotation=0:15.5", TriedRange(low=0, high=15.5)),
    ],
)
def test_what_is_typed(text: str, found: object) -> None:
    assert parse_try(text) == (text.partition("=")[0], found)


def test_a_file_says_the_same(tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text(
        '[space]\n"loop.optimizer" = ["adamw", "sgd"]\n"loop.epochs" = {low = 2, high = 8, step = 3}\n'
        "[space.augment]\nrotation = {low = 1.0, high = 20.0, log = true}\n"
    )
    space = read_space(file)
    assert space == {
        "loop.optimizer": TriedValues(values=("adamw", "sgd")),
        "loop.epochs": TriedRange(low=2, high=8, step=3),
        "augment.rotation": TriedRange(low=1.0, high=20.0, logarithmic=True),
    }
    assert values_of(space["loop.epochs"]) == [2, 5, 8]
    assert combinations(space) is None
    del space["augment.rotation"]
    assert combinations(space) == 6
    assert space_of({key: one.written() for key, one in space.items()}) == space


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loop.epochs", "--try 'loop.epochs' is not KEY=VALUES. Give a setting and what to try of it"),
        (
            "loop.epochs=5",
            "loop.epochs has one value to try, 5, which leaves nothing to choose. Give --set loop.epochs=5",
        ),
        ("loop.epochs=5,6,5", "loop.epochs is to be tried with 5 twice. Name each value once."),
        ("loop.epochs=6:2", "the range of loop.epochs goes from 6 to 2; its lower end comes first. Turn them round."),
        ("loop.epochs=3:3", "loop.epochs has one value to try, 3"),
        ("augment.rotation=0:9:log", "goes from 0 to 9 in logarithms, which begin above 0. Give a lower end above 0"),
    ],
)
def test_what_cannot_be_tried(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match="(?s)" + words.replace("(", "\\(")):
        parse_try(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[space]\n", "has no [space] table with something to try"),
        ("space = 3\n", "has no [space] table with something to try"),
        ("[space\n", "is not TOML"),
        ("[space]\n'loop.epochs' = 5\n", "loop.epochs has one value to try, 5"),
        ("[space]\n'loop.epochs' = []\n", "loop.epochs has no values to try. Name two or more"),
        ("[space]\n'loop.epochs' = {low = 1}\n", "the range of loop.epochs has no high; a range is low, high"),
        ("[space]\n'loop.epochs' = {low = 1, hihg = 3}\n", "the range of loop.epochs has 'hihg'"),
        ("[space]\n'loop.epochs' = {low = 'a', high = 3}\n", "goes from 'a' to 3; its ends are numbers"),
        ("[space]\n'loop.clip' = {low = 1, high = 3, step = -1}\n", "in steps of -1; steps are above 0"),
    ],
)
def test_a_file_that_says_no_space(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "space.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as failed:
        read_space(file)
    assert words in str(failed.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no space at .*nowhere.toml. Give a TOML file with a"):
        read_space(tmp_path / "nowhere.toml")
