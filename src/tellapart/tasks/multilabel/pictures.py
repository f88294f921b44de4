"""The pictures of the report of sets. In: OpenRun. Out: MistakesPart, LabelsPart. Next: sections.py."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.deciding import chosen_classes
from tellapart.bundle import MultilabelRecord
from tellapart.data.targets import ClassNames, Target, class_sets
from tellapart.errors import DataError
from tellapart.evaluation.multilabel_labels import SetReport, examine_sets
from tellapart.reporting.album import LARGE_SIDE, Album, Captioned
from tellapart.reporting.facts import LabelsPart, Shown
from tellapart.reporting.phrases import Phrases
from tellapart.runs.embeddings import EmbeddedExamples, last_layer_strength
from tellapart.runs.heat import with_heat
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import SAMPLED
from tellapart.tasks.multilabel.facts import LabelRow, MistakesPart
from tellapart.tasks.multilabel.results import truths, worst_rows
from tellapart.tasks.multilabel.weighing import balanced_positive_weights
from tellapart.training.multilabel_out_of_fold import multilabel_out_of_fold

_MISTAKES = 8  # of each kind
_WRONG, _OTHERS = 18, 8


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


def doubt_labels(run: OpenRun, embedded: EmbeddedExamples) -> SetReport | None:
    """What the label doctor says of the embedded pictures; None where they are too few of a class to judge by."""
    targets = class_sets([example.target for example in embedded.examples], run.classes)
    groups = [example.group for example in embedded.examples]
    balanced = run.settings.class_weights == "balanced"
    try:
        chances = multilabel_out_of_fold(
            embedded.vectors,
            targets,
            groups,
            classes=run.classes,
            strength=last_layer_strength(run),
            seed=run.settings.seed,
            positive_weights=np.array(balanced_positive_weights(targets)) if balanced else None,
        )
    except DataError:
        return None
    return examine_sets(chances, targets, embedded.vectors, groups=groups)


def labels_part(
    run: OpenRun, embedded: EmbeddedExamples, found: SetReport, album: Album, phrases: Phrases
) -> LabelsPart:
    """The most doubtful labels. `predicted` is the class, with "+" or "-" before it: it is missing, or one too many."""
    examples = embedded.examples
    wrong: list[Captioned] = [
        (
            examples[cell.row].path,
            names(examples[cell.row].target, phrases),
            f"{'+' if cell.kind == 'missing' else '-'}{run.classes[cell.label]}",
            cell.probability,
        )
        for cell in found.cells[:_WRONG]
    ]
    outliers: list[Captioned] = [
        (examples[one.row].path, names(examples[one.row].target, phrases), "", None) for one in found.outliers[:_OTHERS]
    ]
    return LabelsPart(
        n=len(examples),
        n_all=embedded.n_all,
        labels=found.judged,
        wrong=album.show(wrong),
        outliers=album.show(outliers),
        ambiguous=[],
        counts=(len(found.cells), len(found.outliers), 0),
    )
