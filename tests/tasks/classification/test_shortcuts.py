"""tasks/classification/shortcuts.py: what the report says of the files, and when it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import Score
from tellapart.data.examples import Example
from tellapart.data.targets import ClassName
from tellapart.reporting.blocks import Paragraph, Table
from tellapart.reporting.phrases import Phrases
from tellapart.tasks.classification.shortcuts import FEWEST, file_told, shortcut_section


@dataclass
class _Run:
    examples: list[Example]
    classes: tuple[str, ...] = ("cat", "dog")
    settings: Any = field(default_factory=lambda: SimpleNamespace(seed=0))


def _run(folder: Path, number: int, *, sizes: tuple[int, int] = (20, 20), group: str | None = None) -> Any:
    examples = []
    for place in range(number):
        label = place % 2
        path = folder / f"{place}.png"
        pixels = np.random.default_rng(place).integers(0, 255, size=(16, sizes[label], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        examples.append(
            Example(
                path=path,
                target=ClassName(("cat", "dog")[label]),
                split="train" if place % 4 else "test",
                group=f"{place}" if group is None or label else group,
                content_hash=f"{place}",
                width=sizes[label],
                height=16,
            )
        )
    return _Run(examples)


def test_classes_of_two_sizes_are_told(tmp_path: Path) -> None:
    part = file_told(_run(tmp_path, FEWEST + 10, sizes=(20, 22)))
    assert part is not None
    assert part.n == FEWEST + 10
    assert part.told.value == 1.0
    assert part.kinds == ("size",)


def test_files_that_are_alike_tell_nothing(tmp_path: Path) -> None:
    part = file_told(_run(tmp_path, FEWEST + 10))
    assert part is not None
    assert part.kinds == ()
    assert not part.told.tells


def test_of_few_pictures_nothing_is_said(tmp_path: Path) -> None:
    assert file_told(_run(tmp_path, FEWEST, sizes=(20, 22))) is None


def test_pictures_that_are_gone_say_nothing(tmp_path: Path) -> None:
    run = _run(tmp_path, FEWEST + 10)
    for example in run.examples[:20]:
        example.path.unlink()
    assert file_told(run) is None


def test_a_class_of_one_group_cannot_be_held_out(tmp_path: Path) -> None:
    assert file_told(_run(tmp_path, FEWEST + 10, sizes=(20, 22), group="one")) is None


@pytest.mark.parametrize(
    ("sizes", "said", "zh"),
    [
        ((20, 22), "without a look at a pixel: the size of the picture.", "图片的尺寸"),
        ((20, 20), "tell no more of the class than chance.", "不优于随机"),
    ],
)
def test_the_section_says_it(tmp_path: Path, sizes: tuple[int, int], said: str, zh: str) -> None:
    part = file_told(_run(tmp_path, FEWEST + 10, sizes=sizes))
    assert part is not None
    section = shortcut_section(part, Score(value=0.9, low=0.8, high=0.95), Phrases("en"))
    first, table = section.blocks[0], section.blocks[1]
    assert isinstance(first, Paragraph)
    assert said in first.text
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["from the files alone", "the model, on the test split", "chance"]
    assert table.rows[1][1] == "90.0\N{NO-BREAK SPACE}%"
    chinese = shortcut_section(part, None, Phrases("zh")).blocks
    assert isinstance(chinese[0], Paragraph)
    assert zh in chinese[0].text
    assert isinstance(chinese[1], Table)
    assert len(chinese[1].rows) == 2
