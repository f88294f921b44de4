"""The label doctor and the map of a report. In: doubts and vectors by hand. Out: pictures shown, dots on a plane."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tellapart.data.examples import SPLITS
from tellapart.evaluation.labels import Doubt, LabelReport
from tellapart.reporting.album import Album
from tellapart.runs.parts import map_part
from tellapart.tasks.classification.pictures import labels_part

from .made_run import ANT, BEE, CAT, CLASSES, HUES, example, pixels, run_of


def doubts(kind: Any, count: int) -> tuple[Doubt, ...]:
    """Doubts about rows `count` - 1 down to 0: labelled bee, rather a cat."""
    return tuple(
        Doubt(
            row=row,
            kind=kind,
            label=BEE,
            suggested=CAT,
            probability_of_label=0.25,
            probability_of_suggested=row / 32,
            score=0.5,
        )
        for row in reversed(range(count))
    )


def shown_names(shown: Any) -> list[str]:
    return [one.name for one in shown]


def test_the_most_doubtful_labels_are_shown_and_all_are_counted() -> None:
    examples = [example(f"{number}.png", "bee") for number in range(30)]
    found = LabelReport(
        wrong=doubts("label", 19), outliers=doubts("outlier", 10), ambiguous=doubts("ambiguous", 9), judged=30
    )
    part = labels_part(run_of(), examples, found, 77, Album())
    assert (part.n, part.n_all, part.counts) == (30, 77, (19, 10, 9))
    assert shown_names(part.wrong) == [f"{number}.png" for number in range(18, 0, -1)]
    assert shown_names(part.outliers) == [f"{number}.png" for number in range(9, 1, -1)]
    assert shown_names(part.ambiguous) == [f"{number}.png" for number in range(8, 0, -1)]
    first = part.wrong[0]
    assert (first.label, first.predicted, first.probability) == ("bee", "cat", 18 / 32)


def test_a_few_dots_stand_on_a_line(tmp_path: Path) -> None:
    hues = {name: tmp_path / f"{name}.png" for name in HUES}
    for name, path in hues.items():
        Image.new("RGB", (300, 300), HUES[name]).save(path)
    examples = [
        example(hues["red"], "cat", "test"),
        example(hues["green"], "ant", "train"),
        example(hues["blue"], "bee", "validation"),
    ]
    part = map_part(run_of(), examples, np.eye(3, dtype=np.float32), 50, own=True)
    # Three are put at 0.2, 0.5 and 0.8, half-way up; x, y, class, split.
    assert part.points == [(200, 500, CAT, 2), (500, 500, ANT, 0), (800, 500, BEE, 1)]
    assert (part.own, part.n, part.n_all, part.classes) == (True, 3, 50, list(CLASSES))
    assert part.names == ["red.png", "green.png", "blue.png"]
    assert (part.sprites.side, part.sprites.columns) == (40, 2)
    sheet = pixels(part.sprites.address)
    assert sheet.shape == (80, 80, 3)
    for place, hue in (((20, 20), "red"), ((20, 60), "green"), ((60, 20), "blue")):
        assert np.abs(sheet[place].astype(int) - HUES[hue]).max() < 12
    assert map_part(run_of(), examples[:1], np.eye(1, dtype=np.float32), 1, own=False).own is False


def test_a_map_holds_two_thousand_dots_drawn_by_the_seed() -> None:
    examples = [example(f"{number:04}.png", CLASSES[number % 3], SPLITS[number % 2]) for number in range(2001)]
    same = np.ones((2001, 2), dtype=np.float32)  # one place, so that nothing is computed

    def drawn(count: int, seed: int) -> list[str]:
        part = map_part(run_of(seed=seed), examples[:count], same[:count], 5000, own=False)
        assert (part.n, part.n_all) == (2000, 5000)
        numbers = [int(name[:4]) for name in part.names]
        assert part.points == [(500, 500, number % 3, number % 2) for number in numbers]
        return list(part.names)

    assert drawn(2000, 0) == [one.path.name for one in examples[:2000]]
    first = drawn(2001, 0)
    assert first == sorted(set(first))
    assert len(first) == 2000
    assert first != drawn(2001, 1)
    assert first == drawn(2001, 0)
