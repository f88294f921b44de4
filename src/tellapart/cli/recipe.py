"""`tellapart recipe --from-keras CALL`. In: the text of a call. Out: a recipe. Next: settings/keras_augmentation.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tellapart.settings.keras_augmentation import FromKeras


@click.command(
    "recipe",
    epilog="""\b
Examples:
  tellapart recipe --from-keras 'rotation_range=40, width_shift_range=0.2, horizontal_flip=True'
  tellapart recipe --from-keras 'ImageDataGenerator(rescale=1./255, zoom_range=0.2)' --out keras.toml
  tellapart recipe --from-keras 'Sequential([RandomFlip("horizontal"), RandomRotation(0.2)])' --out keras.toml
  tellapart train cats_and_dogs/ --recipe keras.toml --strategy finetune""",
)
@click.option(
    "--from-keras",
    "call",
    required=True,
    metavar="CALL",
    help="ImageDataGenerator(...), its arguments alone, or augmentation layers, pasted as they are; - reads standard input.",
)
@click.option(
    "--size", type=click.IntRange(8, 4096), help="Side of the input in pixels, where shifts are told in pixels."
)
@click.option("--out", type=click.Path(path_type=Path), help="Write to this file instead of the screen.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def command(call: str, size: int | None, out: Path | None, force: bool) -> None:
    """Write a recipe from what a Keras program says of augmentation, and of how it reads pictures.

    The text is parsed and never run. What is done otherwise here, or not at all, is told.
    """
    from tellapart.settings.keras_augmentation import MOST_TEXT, from_keras
    from tellapart.storage import check_free, write_bytes

    if out is not None:
        check_free(out, force=force)
    found = from_keras(sys.stdin.read(MOST_TEXT + 1) if call == "-" else call, size=size)
    text = _toml(found)
    for remark in _remarks(found):
        click.echo(remark, err=True)
    if out is None:
        click.echo(text, nl=False)
        return
    write_bytes(out, text.encode())
    click.echo(
        f"{out}: tellapart augment PICTURES --recipe {out} --out sheet.png shows it; train takes it by --recipe."
    )


def _remarks(found: FromKeras) -> list[str]:
    """What is done otherwise here, and what a flag of `train` says."""
    share = found.validation
    told = [] if share is None else [f"validation_split={share:g}: give --validation {100 * share:g}% to train."]
    return [*found.remarks, *told]


def _toml(found: FromKeras) -> str:
    from tellapart.data.augmentation import describe, from_settings

    augment = {"preset": "none", **found.augment}
    said = describe(from_settings(augment))  # refuses what is outside its range
    lines = [f"# From Keras: {said or 'nothing is varied'}.", *(f"# {remark}" for remark in _remarks(found))]
    lines += ["[settings.augment]", *(f"{name} = {_value(value)}" for name, value in augment.items())]
    for table, values in found.others.items():
        lines += [f"[settings.{table}]", *(f"{name} = {_value(value)}" for name, value in values.items())]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else f"{value}"
