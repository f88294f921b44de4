"""The report of sets, in words. In: a run made by hand. Out: sections, captions, sentences in two languages."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassNames
from tellapart.export.assemble import assemble
from tellapart.features.cache import Cache
from tellapart.reporter import Silent
from tellapart.reporting.album import Album
from tellapart.reporting.blocks import Charts, Heading, Matrix, Paragraph, Pictures, Plane, Report, Section, Table
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Phrases
from tellapart.runs.embeddings import EmbeddedExamples
from tellapart.runs.finished import open_finished
from tellapart.runs.recipe import recipe_text
from tellapart.storage import write_json
from tellapart.tasks.multilabel.pictures import doubt_labels, labels_part, names, worst_mistakes
from tellapart.tasks.multilabel.sections import sections

from .made_run import ANSWERS, CLASSES, MadeRun, example, manifest, run_of

ENGLISH = Phrases("en")


def test_the_surest_mistakes_come_first_in_two_kinds() -> None:
    part = worst_mistakes(run_of(), Album(), ENGLISH)
    # Of picture 4 the bee was missed more surely than the cat, and each picture stands once.
    assert [(one.name, one.label, one.predicted, one.probability) for one in part.missed] == [
        ("4.png", "bee, cat", "bee", 0.0625),
        ("2.png", "ant, cat", "ant", 0.125),
    ]
    # An ant of which nothing is known is no mistake.
    assert [(one.name, one.label, one.predicted, one.probability) for one in part.false] == [
        ("3.png", "bee", "ant", 0.875),
        ("5.png", "none of them", "bee", 0.375),
    ]
    assert part.heated is False  # the files are gone


def test_eight_mistakes_of_a_kind_are_shown() -> None:
    answers = [("", (0.5 + number / 32, 0.0, 0.0)) for number in range(9)]
    part = worst_mistakes(run_of([("ant|bee|cat", (1.0, 1.0, 1.0)), *answers]), Album(), ENGLISH)
    assert [one.name for one in part.false] == [f"{number}.png" for number in range(9, 1, -1)]
    assert part.missed == []


def test_the_names_of_a_set_stand_in_a_row() -> None:
    assert names(ClassNames(("a", "b")), ENGLISH) == "a, b"
    assert names(ClassNames(("a", "b")), Phrases("zh")) == "a、b"
    assert names(ClassNames((), ("a",)), ENGLISH) == "none of them"


def test_a_class_that_a_picture_s_neighbours_show_is_missed_and_one_they_lack_is_too_much() -> None:
    # Three clouds of twenty, a class each; the names in the classes' order.
    numbers = [number for number in range(3) for _ in range(20)]
    noise = np.random.default_rng(0).normal(size=(60, 8)) * 0.1
    vectors = (3 * np.eye(8)[numbers] + noise).astype(np.float32)
    labels = [CLASSES[number] for number in numbers]
    labels[25], labels[45] = "", "ant|cat"  # a bee without its class, a cat with one too many
    examples = [example(f"{row}.png", text) for row, text in enumerate(labels)]
    embedded = EmbeddedExamples(examples=examples, vectors=vectors, n_all=70, own=False)
    run = run_of(metrics={"training": {"probe": {"strength": 0.01}}})
    found = doubt_labels(run, embedded)
    assert found is not None
    assert {(cell.row, CLASSES[cell.label], cell.kind) for cell in found.cells} == {
        (25, "bee", "missing"),
        (45, "ant", "extra"),
    }
    part = labels_part(run, embedded, found, Album(), ENGLISH)
    assert (part.n, part.n_all, part.labels, part.counts[0]) == (60, 70, 180, 2)
    assert {(one.name, one.label, one.predicted) for one in part.wrong} == {
        ("25.png", "none of them", "+bee"),
        ("45.png", "ant, cat", "-ant"),
    }
    assert [one.probability for one in part.wrong] == [cell.probability for cell in found.cells]


def test_where_a_class_has_too_few_pictures_no_label_is_judged() -> None:
    examples = [example(f"{row}.png", "ant" if row else "bee") for row in range(8)]
    embedded = EmbeddedExamples(examples=examples, vectors=np.eye(8, dtype=np.float32), n_all=8, own=False)
    assert doubt_labels(run_of(), embedded) is None


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache", limit_bytes=10**8) as opened:
        yield opened


@pytest.fixture
def written(tmp_path: Path, tiny_network: Path) -> MadeRun:
    """A run's folder as training leaves it; its network sees red, green and blue. From scratch: its map needs no other."""
    folder = tmp_path / "run"
    folder.mkdir()
    told = manifest(scales=(1.0,) * 3, offsets=(0.0,) * 3).model_copy(update={"strategy": "scratch"})
    rows = []
    for number, (labels, _) in enumerate(ANSWERS):
        Image.new("RGB", (16, 16), (20 * number, 200, 0)).save(folder / f"{number}.png")
        rows.append(example(str(folder / f"{number}.png"), labels, "test"))
    run = run_of(folder=folder, told=told, examples=rows)
    (folder / "recipe.toml").write_text(recipe_text(run.settings), encoding="utf-8")
    write_json(folder / "metrics.json", run.metrics)
    write_json(folder / "audit.json", run.audit)
    write_examples(folder / "examples.csv", rows)
    with (folder / "predictions.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "labels", "predicted", *(f"probability of {name}" for name in CLASSES)])
        table.writerows(
            (path, text, "", *chances) for path, (text, chances) in zip(run.predictions.paths, ANSWERS, strict=True)
        )
    weight, bias = np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32)
    (folder / "model.onnx").write_bytes(assemble(tiny_network, weight=weight, bias=bias, manifest=told))
    return run


def of_kind(told: list[Section], kind: Any) -> list[Any]:
    return [block for section in told for block in section.blocks if isinstance(block, kind)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_report_has_its_sections(language: Any, written: MadeRun, cache: Cache) -> None:
    phrases = Phrases(language)
    verdict, told = sections(written, phrases, cache=cache, reporter=Silent())
    keys = ["next", "data", "learning", "results", "mistakes", "map", "abstention", "about"]
    assert [section.key for section in told] == keys
    scores, classes = of_kind(told, Table)
    assert len(scores.rows) == 7
    assert [cells[0] for cells in classes.rows] == list(CLASSES)
    assert [cells[4] for cells in classes.rows] == ["0.50", "0.25", "0.75"]
    assert len(classes.columns) == len(classes.rows[0]) == 11
    assert [matrix.off_is_wrong for matrix in of_kind(told, Matrix)] == [False, False]
    assert len(of_kind(told, Charts)) == 2
    assert len(verdict.references) == 2


def test_what_a_reader_is_told_first(written: MadeRun, cache: Cache) -> None:
    verdict, told = sections(written, ENGLISH, cache=cache, reporter=Silent())
    score = written.metrics["test"]["mean_average_precision"]
    assert verdict.score.value == score["value"]
    assert verdict.sentence == (
        f"A mean average precision of {ENGLISH.percent(score['value'])} on 8 test pictures, between "
        f"{ENGLISH.percent(score['low'])} and {ENGLISH.percent(score['high'])}"
    )
    assert [said for _, said in verdict.references] == [
        "Always answering with no class would give 39.3\u00a0%, and be wholly right about 25.0\u00a0% of the pictures.",
        "Always answering “ant, bee”, the most common set, would give 39.3\u00a0%, and be wholly right about 12.5\u00a0%.",
    ]
    unknown = "1 label of a test picture is not known, and counts neither way."
    assert unknown in [block.text for block in of_kind(told, Paragraph)]


def test_a_mistake_says_what_the_picture_shows_and_what_was_said(written: MadeRun, cache: Cache) -> None:
    _, told = sections(written, ENGLISH, cache=cache, reporter=Silent())
    section = next(one for one in told if one.key == "mistakes")
    assert [block.text for block in section.blocks if isinstance(block, Heading)] == [
        "Labels that were missed",
        "Labels that are not there",
    ]
    missed, false = (block.groups[0].pictures for block in section.blocks if isinstance(block, Pictures))
    lines = [[f"{line.text} {line.name} {line.share}".strip() for line in one.caption] for one in (missed[0], false[0])]
    assert lines == [
        ["shows bee, cat", "missed bee 6.2\u00a0%"],
        ["shows bee", "named ant 87.5\u00a0%"],
    ]
    assert [line.bad for line in false[0].caption] == [False, True]


def test_a_dot_has_the_colour_of_its_first_class(written: MadeRun, cache: Cache) -> None:
    _, told = sections(written, ENGLISH, cache=cache, reporter=Silent())
    (plane,) = of_kind(told, Plane)
    assert plane.part.classes == [*CLASSES, "none of them"]
    # ant, ant|bee, ant|cat, bee, bee|cat, none, cat (an unknown ant is none), none
    assert [point[2] for point in plane.part.points] == [0, 0, 0, 1, 1, 3, 2, 3]


def test_the_page_is_made_of_what_lies_in_the_folder(written: MadeRun, cache: Cache) -> None:
    run = open_finished(written.folder)
    verdict, told = sections(run, ENGLISH, cache=cache, reporter=Silent())
    text = render(Report(name="animals", made="now", verdict=verdict, sections=told), ENGLISH)
    for words in (
        "A mean average precision of",
        "What comes together",
        "What is named together",
        "When a class is named",
    ):
        assert words in text
    assert text.count("data:image/jpeg;base64,") >= 8
