"""The learning curve of a run's texts. In: OpenRun, RunTexts. Out: PictureCurve. Next: workflows/next_point.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tellapart.data.targets import class_numbers
from tellapart.runs.embeddings import draw
from tellapart.runs.more_pictures import PictureCurve, curve_of
from tellapart.runs.open import OpenRun
from tellapart.runs.run_texts import RunTexts
from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Rules
from tellapart.training.growing import grow_by
from tellapart.training.ngram_counts import CountedTexts
from tellapart.training.ngram_folds import ChosenTexts, count_chosen, learn_parts
from tellapart.training.ngram_probe import INVERSE, NgramTrial, candidates
from tellapart.training.ngram_rows import KeptRows


def count_run(run: OpenRun, texts: Sequence[str]) -> ChosenTexts:
    """Texts of a run, counted as its classifier of n-grams was chosen to; as is usual, where it has none."""
    cleaned = [clean(text) for text in texts]
    told = (run.metrics.get("training") or {}).get("probe") or {}
    chosen = NgramTrial(candidates(cleaned)[0], True, INVERSE[1])
    if {"words", "characters", "across", "by_class", "inverse"} <= set(told):
        rules = Rules(words=tuple(told["words"]), characters=tuple(told["characters"]), across=told["across"])
        chosen = NgramTrial(rules, bool(told["by_class"]), float(told["inverse"]))
    return count_chosen(cleaned, chosen)


def draw_text_curve(
    given: ChosenTexts,
    read: RunTexts,
    classes: Sequence[str],
    *,
    most: int,
    repeats: int,
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> PictureCurve | None:
    """The curve of the classifier of n-grams on at most `most` texts, drawn by `seed`; None where a class is too small for one."""
    rows = draw(range(len(read.examples)), most, seed=seed)
    chosen = [read.examples[row] for row in rows]
    labels = class_numbers([example.target for example in chosen], classes)
    groups = [example.group for example in chosen]
    if len(np.unique(labels)) < len(classes):
        return None
    counted = given.counted
    part = CountedTexts(
        inputs=counted.inputs,
        frequency=counted.frequency,
        rows=KeptRows(counted.matrix[rows]),
        unknown=counted.unknown[rows],
    )
    learn = learn_parts(ChosenTexts(chosen=given.chosen, counted=part), labels, classes=len(classes))
    grown = grow_by(learn, labels, groups, class_count=len(classes), repeats=repeats, seed=seed, advance=advance)
    return None if grown is None else curve_of(grown, classes, seed=seed)
