"""Flags that say how a data set is read. In: a command. Out: the same with the flags; ReadOptions. Next: train.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from tellapart.cli.tasks import SEPARATOR_HELP
from tellapart.data.set_cells import SEPARATORS

if TYPE_CHECKING:
    from tellapart.bundle import TaskName
    from tellapart.data.examples import ReadOptions
    from tellapart.deep_values import Span

# Of ReadOptions, beside the task.
NAMES = (
    "encoding",
    "path_column",
    "text_column",
    "label_column",
    "split_column",
    "group_column",
    "root",
    "extension",
    "label_from",
    "classes",
    "ignore_label",
    "train_split",
    "merge_names",
)

_OPTIONS = (
    click.option("--label-separator", type=click.Choice(SEPARATORS), metavar="TEXT", help=SEPARATOR_HELP),
    click.option(
        "--path-column",
        metavar="NAME",
        help="Of a table, or the column's number from 1.  [default: path, or a usual name]",
    ),
    click.option(
        "--text-column",
        metavar="NAME",
        help="The same where texts stand in the table.  [default: text, or a usual name]",
    ),
    click.option("--label-column", metavar="NAME", help="The same for the class.  [default: label, or a usual name]"),
    click.option("--split-column", metavar="NAME", help="The same for train, val or test.  [default: split]"),
    click.option("--group-column", metavar="NAME", help="The same for what stays together.  [default: group]"),
    click.option("--root", metavar="FOLDER", help="What a table's paths count from.  [default: the table's folder]"),
    click.option("--extension", metavar="TEXT", help="Of a table's paths that have none, such as .jpg."),
    click.option(
        "--encoding", metavar="NAME", help="Of a text table, such as cp1252 or gb18030.  [default: UTF-8, or found]"
    ),
    click.option(
        "--label-from",
        metavar="REGEX",
        help="Finds the class in each path: a regular expression with (?P<label>...) and, if wanted, (?P<group>...) and "
        "(?P<split>...), such as '(?P<label>[a-z]+)[.]' for cat.0.jpg.",
    ),
    click.option(
        "--classes",
        metavar="NAMES",
        help="Of masks: the names of their values between commas, from 0 on or as NAME=3, NAME=1-9, NAME=#ff0000; or a file of "
        "them. Of shards whose classes are numbers: their names, from 0 on.  [default: found beside them, or the numbers]",
    ),
    click.option(
        "--ignore-label",
        metavar="VALUES",
        help="Of masks: what counts nowhere, values, colours or names between commas, or none.  [default: 255, beside others]",
    ),
    click.option(
        "--train-split",
        metavar="NAME",
        help="The given split to learn from, such as dev, where none is called train; what is then missing, it gives up.",
    ),
    click.option(
        "--merge-names",
        is_flag=True,
        default=None,
        help="Class names that differ only in case, blanks, hyphens, zeros or how a character is stored are one class.",
    ),
)


# Of pictures of more than 8 bits; what is tested is read by the model's range, so `evaluate` has no such flag.
range_option = click.option(
    "--range",
    "value_range",
    metavar="LOW:HIGH",
    help="Of pictures of more than 8 bits: the values that are black and white, such as 0:4095.  [default: found]",
)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with a flag for each of them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def told_arguments(flags: Mapping[str, Any], task: TaskName | None) -> list[str]:
    """How a data set was said to be read, as arguments for the next command on it. `flags` are those that `read_options` takes."""
    names = {"label_separator": "--label-separator", **{name: f"--{name.replace('_', '-')}" for name in NAMES}}
    told = [] if task is None else ["--task", task]
    for name, flag in {**names, "value_range": "--range"}.items():
        value = flags.get(name)
        if value:
            told += [flag] if value is True else [flag, str(value)]
    return told


def read_options(flags: dict[str, Any], *, task: TaskName | None = None) -> ReadOptions:
    """What the flags say; they are taken out of `flags`. Raises: SettingsError for a range that is none."""
    from tellapart.data.examples import ReadOptions

    span = _span(flags.pop("value_range", None))
    told = {name: flags.pop(name) for name in NAMES}
    separator = flags.pop("label_separator")
    told["merge_names"] = bool(told["merge_names"])
    return ReadOptions(task=task, separator=separator, span=span, **told)


def _span(text: str | None) -> Span | None:
    from tellapart.deep_values import parse_span
    from tellapart.errors import SettingsError

    try:
        return None if text is None else parse_span(text)
    except ValueError as error:
        raise SettingsError(f"--range is {text!r}; {error}. Correct it and run again.") from None
