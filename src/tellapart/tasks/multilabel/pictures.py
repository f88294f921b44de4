"""The pictures of the report of sets. In: OpenRun. Out: MistakesPart, LabelsPart. Next: sections.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.deciding import chosen_classes
from tellapart.bundle import MultilabelRecord
from tellapart.data.targets import ClassNames, Target
from tellapart.reporting.album import LARGE_SIDE, Album, Captioned
from tellapart.reporting.facts import Shown
from tellapart.reporting.phrases import Phrases
from tellapart.runs.heat import with_heat
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import SAMPLED
from tellapart.tasks.multilabel.facts import LabelRow, MistakesPart
from tellapart.tasks.multilabel.results import truths, worst_rows

_MISTAKES = 8  # of each kind


def sampled(rows: Sequence[LabelRow]) -> list[str]:
    """The classes that pictures are shown of: all, or the worst found ones."""
    return [row.name for row in (rows if len(rows) <= SAMPLED else worst_rows(rows, SAMPLED))]


def names(target: Target, phrases: Phrases) -> str:
    """The classes of a picture in a row; a word for none of them."""
    return phrases.joined(list(target.classes)) or phrases("labels_none_of_them")


def worst_mistakes(run: OpenRun, album: Album, phrases: Phrases) -> MistakesPart:
    """The labels that were missed most surely, and those that were named wrongly most surely; each picture once a kind."""
    probabilities, targets = run.predictions.probabilities, truths(run)
    named = chosen_classes(probabilities, run.manifest.record_of(MultilabelRecord).thresholds)
    missed, heated = _show(run, (targets == 1) & ~named, probabilities, album, phrases)
    false, lit = _show(run, (targets == 0) & named, -probabilities, album, phrases)
    return MistakesPart(missed=missed, false=false, heated=heated or lit)


def _show(
    run: OpenRun, wrong: NDArray[np.bool_], order: NDArray[np.float32], album: Album, phrases: Phrases
) -> tuple[list[Shown], bool]:
    """Pictures of the cells [n, K] that are `wrong`, those with the lowest `order` [n, K] first."""
    rows, columns = np.nonzero(wrong)
    cells: dict[int, int] = {}  # row -> class
    for place in np.argsort(order[rows, columns], kind="stable").tolist():
        if len(cells) < _MISTAKES:
            cells.setdefault(int(rows[place]), int(columns[place]))
    table = run.predictions
    asked: list[Captioned] = [
        (
            table.paths[row],
            names(ClassNames.read(table.targets[row]), phrases),
            run.classes[column],
            float(table.probabilities[row, column]),
        )
        for row, column in cells.items()
    ]
    classes = np.array(list(cells.values()), dtype=np.int64)
    return with_heat(run, album.show(asked, side=LARGE_SIDE), [path for path, *_ in asked], classes)
