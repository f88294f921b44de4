"""What texts themselves tell: labels to look at, more texts, a map, copies. In: OpenRun. Out: TextsAgain. Next: sections.py.

The texts are read again where they came from; without them a report says why these parts are missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tellapart.data.targets import class_numbers
from tellapart.evaluation.doubts import Doubted, NamedDoubt
from tellapart.reporting.advice import MANY_WRONG
from tellapart.reporting.blocks import Block, Column, Heading, Paragraph, Section, Table
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.sections import map_section
from tellapart.runs.more_pictures import PictureCurve
from tellapart.runs.more_texts import count_run, draw_text_curve
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import map_part
from tellapart.runs.run_texts import RunTexts, read_texts
from tellapart.tasks.more_classes import more_section
from tellapart.tasks.text.doubting import doubt_counted
from tellapart.training.latent import latent

_LETTERS = 200  # of a text that is shown
_WRONG, _OTHERS = 24, 12  # doubtful labels that are shown, of the first kind and of each other
_CLUSTERS, _IN_CLUSTER = 12, 3
_FOLDS, _REPEATS = 5, 3
_MOST = 2_000  # texts that the curve is of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TextsAgain:
    """What was found by looking at a run's texts again."""

    read: RunTexts
    vectors: NDArray[np.float32] | None  # [n, D], near each other where texts have n-grams in common
    doubts: Doubted | None  # None where they could not be read
    curve: PictureCurve | None  # None where a class is too small for one, too


def look_again(run: OpenRun) -> TextsAgain:
    """Read the texts, at most 3,000 of them, judge their labels and draw the learning curve."""
    read, classes = read_texts(run), run.classes
    if len({one.target.text for one in read.examples}) < 2:
        return TextsAgain(read=read, vectors=None, doubts=None, curve=None)
    present = tuple(name for name in classes if any(one.target.text == name for one in read.examples))
    targets = class_numbers([one.target for one in read.examples], present)
    groups, seed = [one.group for one in read.examples], run.settings.seed
    given = count_run(run, read.texts)
    vectors = latent(given.counted.matrix, seed=seed)
    doubts = doubt_counted(given, vectors, targets, groups, classes=present, folds=_FOLDS, seed=seed)
    curve = draw_text_curve(given, read, classes, most=_MOST, repeats=_REPEATS, seed=seed)
    return TextsAgain(read=read, vectors=vectors, doubts=doubts, curve=curve)


def told_sections(run: OpenRun, looked: TextsAgain, phrases: Phrases) -> list[Section]:
    """What there is to tell of them."""
    told = [] if looked.curve is None else [more_section(looked.curve, phrases)]
    if looked.doubts is not None:
        told.append(_labels(looked.read, looked.doubts, phrases))
    copies = _near_copies(run, looked.read, phrases)
    told += [] if copies is None else [copies]
    if looked.vectors is None:
        gone = phrases("texts_gone", reason=looked.read.reason or "–")
        return [*told, Section(key="labels", title=phrases("labels"), blocks=[Paragraph(text=gone, tone="soft")])]
    return [*told, _map(run, looked.read, looked.vectors, phrases)]


def _labels(read: RunTexts, found: Doubted, t: Phrases) -> Section:
    counts = {"wrong": len(found.wrong), "outliers": len(found.outliers), "ambiguous": len(found.ambiguous)}
    said = t("labels_counts", **counts) if any(counts.values()) else t("labels_none")
    blocks: list[Block] = [Paragraph(text=t.sentences(t("labels_lead"), said))]
    if counts["wrong"] > MANY_WRONG * len(read.examples):
        blocks.append(Paragraph(text=t("labels_weak"), tone="warning"))
    if len(read.examples) < read.n_all:
        blocks.append(Paragraph(text=t("labels_scope", n=len(read.examples), all=read.n_all), tone="soft"))
    if found.wrong:
        blocks.append(_doubtful(read, found.wrong[:_WRONG], t))
    for key, doubts in (("outliers", found.outliers), ("ambiguous", found.ambiguous)):
        if doubts:
            blocks += [Heading(text=t(key), count=f"{len(doubts):,}"), _doubtful(read, doubts[:_OTHERS], t)]
    return Section(key="labels", title=t("labels"), blocks=blocks)


def _doubtful(read: RunTexts, doubts: Sequence[NamedDoubt], t: Phrases) -> Table:
    rows = [
        (
            shortened(read.texts[one.row]),
            one.label,
            one.suggested,
            "–"
            if one.probability_of_suggested != one.probability_of_suggested
            else t.percent(one.probability_of_suggested, 0),
            read.examples[one.row].path.name,
        )
        for one in doubts
    ]
    columns = [
        Column(name=t("texts_read")),
        Column(name=t("labelled"), kind="name"),
        Column(name=t("rather"), kind="name"),
        Column(name="", kind="number"),
        Column(name=""),
    ]
    return Table(columns=columns, rows=rows)


def _map(run: OpenRun, read: RunTexts, vectors: NDArray[np.float32], phrases: Phrases) -> Section:
    shown = [shortened(text) for text in read.texts]
    return map_section(map_part(run, read.examples, vectors, read.n_all, own=False, texts=shown), phrases)


def _near_copies(run: OpenRun, read: RunTexts, t: Phrases) -> Section | None:
    clusters = run.audit["near_copies"]
    if not clusters:
        return None
    shown = [path for cluster in clusters[:_CLUSTERS] for path in cluster[:_IN_CLUSTER]]
    wanted = set(shown)
    by_path = {path: one for one in run.examples if (path := str(one.path)) in wanted}
    rows = []
    for path in shown:
        one = by_path.get(path)
        text = None if one is None else read.found.get(one.content_hash)
        rows.append((Path(path).name, shortened(text or "–"), "" if one is None else one.target.text))
    lead = t("near_copies_lead", n=len(clusters), shown=min(len(clusters), _CLUSTERS))
    columns = [Column(name=""), Column(name=t("texts_read")), Column(name=t("class"), kind="name")]
    blocks: list[Block] = [Paragraph(text=lead, tone="soft"), Table(columns=columns, rows=rows)]
    return Section(key="copies", title=t("near_copies"), blocks=blocks)


def shortened(text: str) -> str:
    """A text in one line, its beginning alone where it is long."""
    line = " ".join(text[: 4 * _LETTERS].split())
    return line if len(line) <= _LETTERS else f"{line[:_LETTERS]}…"
