"""tasks/more_classes.py: what the report says of more pictures, and when it says nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tellapart.data.targets import ClassName
from tellapart.evaluation.learning_curve import fit_power_law
from tellapart.reporting.blocks import Charts, Paragraph, Table
from tellapart.reporting.phrases import Phrases
from tellapart.runs.embeddings import EmbeddedExamples
from tellapart.runs.more_pictures import PictureCurve
from tellapart.tasks.more_classes import MOST, more_advice, more_part, more_section

RUN: Any = SimpleNamespace(classes=("ant", "bee", "cat"), settings=SimpleNamespace(seed=0))


def _embedded(number: int, *, apart: float) -> EmbeddedExamples:
    """Pictures whose classes lie `apart` among noise."""
    random = np.random.default_rng(0)
    labels = np.arange(number) % 3
    vectors = random.normal(size=(number, 40)).astype(np.float32)
    vectors[np.arange(number), labels] += apart
    examples: list[Any] = [
        SimpleNamespace(target=ClassName(RUN.classes[label]), group="", split="train") for label in labels.tolist()
    ]
    return EmbeddedExamples(examples=examples, vectors=vectors, n_all=number, own=False)


def _part(number: int, *, apart: float) -> PictureCurve:
    part = more_part(RUN, _embedded(number, apart=apart))
    assert part is not None
    return part


def test_where_classes_are_still_being_learned_more_are_asked_for() -> None:
    part = _part(600, apart=1.5)
    ((key, values),) = more_advice(part)
    assert key in ("next_more", "next_more_of")
    assert values["n"] == part.grown.sizes[-1] == 480
    assert 0 < values["low"] < values["share"] < values["high"] < 1
    gain = part.law.gain(480)
    assert (values["low"], values["share"], values["high"]) == (gain.low, gain.value, gain.high)
    words = Phrases("en")(key, **values)
    assert words.startswith("Add pictures: 480 more would turn about ")


def _made(errors: dict[str, list[float]]) -> PictureCurve:
    """A part whose classes have these errors at 100, 200, 400 and 800 pictures, in each repeat the same."""
    sizes = (100, 200, 400, 800)
    laws = {
        name: fit_power_law(sizes, np.repeat(np.array(values)[:, None], 4, axis=1), judged=4_000, seed=0)
        for name, values in errors.items()
    }
    whole = np.mean(list(errors.values()), axis=0)
    grown: Any = SimpleNamespace(sizes=sizes)
    law = fit_power_law(sizes, np.repeat(whole[:, None], 4, axis=1), judged=12_000, seed=0)
    return PictureCurve(grown=grown, law=law, classes=laws)


def test_the_classes_that_surely_gain_are_named() -> None:
    part = _made({"ant": [0.05, 0.05, 0.05, 0.05], "bee": [0.8, 0.57, 0.4, 0.28], "cat": [0.6, 0.42, 0.3, 0.21]})
    ((key, values),) = more_advice(part)
    assert key == "next_more_of"
    assert values["names"] == ["bee", "cat"]


def test_where_nothing_is_wrong_nothing_is_said() -> None:
    assert more_advice(_part(300, apart=14.0)) == []


def test_where_more_teach_nothing_labels_come_first() -> None:
    part = _made({"ant": [0.2, 0.2, 0.2, 0.2], "bee": [0.3, 0.3, 0.3, 0.3], "cat": [0.25, 0.25, 0.25, 0.25]})
    ((key, values),) = more_advice(part)
    assert key == "next_no_more"
    assert "twice as many would bring between" in Phrases("en")(key, **values)


def test_a_class_too_small_has_no_curve() -> None:
    assert more_part(RUN, _embedded(30, apart=2.0)) is None


def test_of_very_many_some_are_drawn() -> None:
    assert _part(2_000, apart=3.0).grown.sizes[-1] < MOST


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_section_draws_the_curve_and_ranks_classes(language: Any) -> None:
    part = _part(600, apart=1.5)
    section = more_section(part, Phrases(language))
    lead, charts, table, _ = section.blocks
    assert isinstance(lead, Paragraph)
    assert "480" in lead.text
    assert isinstance(charts, Charts)
    assert "<svg" in charts.charts[0].svg
    assert isinstance(table, Table)
    assert sorted(row[0] for row in table.rows) == ["ant", "bee", "cat"]
    gains = [part.classes[row[0]].gain(part.classes[row[0]].last).value for row in table.rows]
    assert gains == sorted(gains, reverse=True)
