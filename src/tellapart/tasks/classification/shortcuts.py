"""Can the class be told by the files alone? In: OpenRun. Out: FileTold, a section. Next: sections.py.

Headers are read again where the pictures still lie; nothing is decoded. What the pixels tell without the object is left to
`tellapart check --shortcuts`, since it takes the network as long again as the training took.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tellapart.bundle import Score
from tellapart.data.file_facts import CONTAINER, FactKind, read_all_facts
from tellapart.data.targets import class_numbers
from tellapart.evaluation.shortcuts import BalancedAccuracy, balanced, strongest
from tellapart.reporting.blocks import Block, Column, Paragraph, Section, Table
from tellapart.reporting.phrases import Phrases
from tellapart.runs.embeddings import draw
from tellapart.runs.open import OpenRun
from tellapart.training.fact_trees import guess_from_files

FEWEST = 200  # pictures; of fewer an interval would say nothing
MOST = 1_000  # headers that are read
_KINDS: Mapping[FactKind, str] = {
    "size": "fact_size",
    "format": "fact_format",
    "mode": "fact_mode",
    "compression": "fact_compression",
    "camera": "fact_camera",
    "date": "fact_date",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTold:
    """What the files alone tell of the class."""

    n: int  # pictures that were asked
    told: BalancedAccuracy
    kinds: tuple[FactKind, ...]  # of fact that tell it, the strongest first; none where they tell no more than chance


def file_told(run: OpenRun) -> FileTold | None:
    """None where there are 200 pictures or fewer, a class is too small, or the files are gone."""
    usable = [example for example in run.examples if example.split is not None]
    if len(usable) <= FEWEST:
        return None
    drawn = draw(usable, MOST, seed=run.settings.seed)
    facts = read_all_facts([example.path for example in drawn], run.classes)
    rows = [row for row, found in enumerate(facts) if found is not None]
    labels = class_numbers([drawn[row].target for row in rows], run.classes)
    groups = [drawn[row].group for row in rows]
    if len(rows) <= FEWEST or _rarest(labels.tolist(), groups, len(run.classes)) < 2:
        return None
    guessed = guess_from_files(
        [found for found in facts if found is not None], CONTAINER, labels, groups, seed=run.settings.seed
    )
    told = balanced(guessed.guesses, np.asarray(labels), groups, class_count=len(run.classes), seed=run.settings.seed)
    kinds = strongest({kind: guessed.drops[kind] for kind in CONTAINER}) if told.tells else []
    return FileTold(n=len(rows), told=told, kinds=tuple(kinds))


def _rarest(labels: Sequence[int], groups: Sequence[str], class_count: int) -> int:
    """How many different groups the class that has fewest has."""
    pairs = Counter(label for label, _ in set(zip(labels, groups, strict=True)))
    return min(pairs[label] for label in range(class_count))


def shortcut_section(part: FileTold, recall: Score | None, phrases: Phrases) -> Section:
    """The files' figure beside chance and the model's own balanced accuracy."""
    t, told = phrases, part.told
    score = Score(value=told.value, low=told.low, high=told.high)
    rows = [(t("shortcut_file"), t.percent(told.value), t.interval(score))]
    if recall is not None:
        rows.append((t("shortcut_model"), t.percent(recall.value), t.interval(recall)))
    rows.append((t("shortcut_chance"), t.percent(told.chance), ""))
    columns = [
        Column(name=""),
        Column(name=t("balanced_accuracy"), kind="number"),
        Column(name=t("interval"), kind="number"),
    ]
    does = t("shortcut_none", n=part.n)
    if told.tells:
        does = t("shortcut_found", kinds=_named(part.kinds, t), n=part.n)
    blocks: list[Block] = [
        Paragraph(text=does),
        Table(columns=columns, rows=rows),
        Paragraph(text=t("shortcut_more"), tone="soft"),
    ]
    return Section(key="shortcut", title=t("shortcut"), blocks=blocks)


def _named(kinds: Sequence[FactKind], phrases: Phrases) -> list[str]:
    return [phrases(_KINDS[kind]) for kind in kinds] or [phrases("fact_together")]
