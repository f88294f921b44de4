"""The report of boxes, in words. In: a run made by hand. Out: sections, sentences in two languages, a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tellapart.bundle import Score
from tellapart.data.targets import Box
from tellapart.drawing.lettering import lacking
from tellapart.errors import DataError, SettingsError
from tellapart.features.cache import Cache
from tellapart.reporter import Silent
from tellapart.reporting.blocks import (
    Facts,
    Heading,
    Matrix,
    Paragraph,
    Pictures,
    Report,
    Section,
    Steps,
    Table,
    Verdict,
)
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Phrases
from tellapart.runs.finished import open_finished
from tellapart.runs.open import OpenRun
from tellapart.tasks.detection.sections import _decision, sections

from .made_run import CLASSES, A, B, MadeRun, Page, manifest, run_of, write_run

ENGLISH, CHINESE = Phrases("en"), Phrases("zh")
KEYS = ["next", "data", "learning", "results", "seen", "mistakes", "doubts", "decision", "about"]
Told = tuple[Verdict, dict[str, Section]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    with Cache(tmp_path_factory.mktemp("sections") / "cache", limit_bytes=10**8) as opened:
        yield opened


def tell(run: OpenRun, cache: Cache, phrases: Phrases = ENGLISH) -> Told:
    verdict, found = sections(run, phrases, cache=cache, reporter=Silent())
    return verdict, {section.key: section for section in found}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> MadeRun:
    return write_run(tmp_path_factory.mktemp("sections") / "run")


@pytest.fixture(scope="module")
def english(written: MadeRun, cache: Cache) -> Told:
    return tell(written, cache)


@pytest.fixture(scope="module")
def chinese(written: MadeRun, cache: Cache) -> Told:
    """What lies in the folder, told."""
    return tell(open_finished(written.folder), cache, CHINESE)


@pytest.fixture(scope="module")
def another(cache: Cache) -> Told:
    """A run from scratch with leaks, copies that differ, one strategy, figures without an interval, pictures that are gone."""
    clean = run_of().metrics["test"] | {"ap50": {"value": 0.5, "low": 0.25, "high": 0.75}, "n": 4}
    run = run_of(
        folder=Path("/nowhere/else"),
        told=manifest(threshold_rule="precision 0.9").model_copy(update={"strategy": "scratch"}),
        test={"ap50": {"value": 0.5}, "precision": None},
        metrics={
            "leaked": 2,
            "test_without_leaked": clean,
            "validation": [{"strategy": "scratch", "ap": 1.0, "ap50": 1.0}],
            "training": {},
        },
        audit={"two_labels": [{"paths": ["/nowhere/a.png", "/nowhere/b.png"]}]},
    )
    return tell(run, cache)


def of_kind(section: Section, kind: Any) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


def texts(section: Section) -> list[str]:
    return [block.text for block in section.blocks if isinstance(block, Paragraph | Heading)]


@pytest.mark.parametrize("language", ["english", "chinese"])
def test_a_report_has_its_sections(language: str, request: pytest.FixtureRequest) -> None:
    verdict, found = request.getfixturevalue(language)
    assert list(found) == KEYS
    scores, classes, errors = of_kind(found["results"], Table)
    assert len(scores.rows) == 10
    assert [cells[0] for cells in classes.rows] == list(CLASSES)
    assert [cells[3] for cells in classes.rows] == ["0.50", "0.25", "0.50"]
    assert len(classes.columns) == len(classes.rows[0]) == 11
    assert [cells[1] for cells in errors.rows] == ["2", "1", "1", "1", "1"]
    (matrix,) = of_kind(found["results"], Matrix)
    assert matrix.off_is_wrong
    assert verdict.references == []
    assert [len(block.groups[0].pictures) for block in of_kind(found["mistakes"], Pictures)] == [2, 3]


def test_what_a_reader_is_told_first(written: MadeRun, english: Told) -> None:
    verdict, found = english
    score = written.metrics["test"]["ap50"]
    assert verdict.score.value == score["value"]
    assert verdict.sentence == (
        f"An average precision (AP50) of {ENGLISH.percent(score['value'])} on 6 test pictures with 9 boxes, between "
        f"{ENGLISH.percent(score['low'])} and {ENGLISH.percent(score['high'])}"
    )
    # Told are 9: 5 right. Counts are off by 1 ant and 1 bee less, 1 bee and 1 bird more, 1 bee and 1 bird less.
    told = "55.6\u00a0% are right, 55.6\u00a0% of the true ones are found, and counts are off by 66.7\u00a0%."
    assert verdict.note.startswith(f"Of the boxes told {told} AP50 is")
    assert verdict.doubt.startswith("The test is too small to tell")
    assert verdict.warning == ""
    (steps,) = of_kind(found["next"], Steps)
    assert steps.items[0].startswith("The model is weak: an AP50 of")
    (compared,) = of_kind(found["next"], Table)
    assert compared.rows == [
        ("fine-tuned detector", "50.0\u00a0%", "75.0\u00a0%", "kept"),
        ("detector on the frozen network", "25.0\u00a0%", "62.5\u00a0%", ""),
    ]
    assert "the one with the best F1 on 40 validation pictures" in texts(found["decision"])[0]
    (facts,) = of_kind(found["about"], Facts)
    assert facts.rows[:3] == [("strategy", "fine-tuned detector"), ("detector", "default"), ("backbone", "tiny")]


def test_whose_boxes_are_doubted_and_how_the_others_are_is_told(written: MadeRun, english: Told) -> None:
    (said, *_) = texts(english[1]["doubts"])
    assert "contradicts the annotations of the 6 test pictures with certainty: it has not seen them." in said
    assert len(written.examples) == 8
    assert (
        "`tellapart check --labels` judges those too, 8 pictures in all, each by a detector that has not seen it"
        in said
    )


def test_boxes_of_each_class_are_counted_with_their_size(english: Told) -> None:
    table = of_kind(english[1]["data"], Table)[-1]
    assert table.rows == [
        ("ant", "1", "0", "4", "45 px"),
        ("bee", "0", "0", "4", "98 px"),
        ("鸟", "2", "0", "1", "–"),
    ]


def test_leaks_are_told_at_the_top(another: Told) -> None:
    verdict, _ = another
    assert verdict.warning.startswith("2 test pictures have a copy or group mate in train")
    assert verdict.warning.endswith("On the other 4 it is 50.0\u00a0% (25.0\u00a0% to 75.0\u00a0%).")


def test_figures_that_are_not_defined_are_left_out(another: Told) -> None:
    verdict, found = another
    assert verdict.sentence == "An average precision (AP50) of 50.0\u00a0% on 6 test pictures with 9 boxes"
    assert verdict.note.startswith("AP50 is")
    assert of_kind(found["next"], Table) == []
    assert "precision" not in [row[0] for row in of_kind(found["results"], Table)[0].rows]


def test_what_another_run_is_and_has_is_called_so(another: Told) -> None:
    _, found = another
    assert "Copies with different boxes" in texts(found["data"])
    assert "a precision of 90.0\u00a0% on 40 validation pictures" in texts(found["decision"])[0]
    (facts,) = of_kind(found["about"], Facts)
    assert facts.rows[0] == ("strategy", "detector from scratch")
    assert all(one.picture is None for one in of_kind(found["seen"], Pictures)[0].groups[0].pictures)


GOOD: Page = ((Box("ant", *A), Box("bee", *B)), (("ant", 0.9, *A), ("bee", 0.9, *B)))


def test_where_nothing_is_wrong_that_is_told(cache: Cache) -> None:
    _, found = tell(run_of([GOOD]), cache)
    assert texts(found["mistakes"]) == ["Every box told is right, and none was missed."]
    assert "No answer was wrong, and no box was missed." in texts(found["results"])
    assert texts(found["doubts"])[1:] == ["No box stands out."]
    assert "contradicts the annotations of the 1 test picture with" in texts(found["doubts"])[0]


def test_doubts_are_told_by_kind(cache: Cache) -> None:
    pages = [GOOD] * 20 + [(GOOD[0][1:], GOOD[1])] * 13 + [((Box("bee", *A), GOOD[0][1]), GOOD[1])]
    run = run_of(pages, metrics={"training": {}})
    _, found = tell(run, cache)
    assert texts(found["doubts"])[1:] == [
        "13 missing, 1 of another class.",
        "The 12 most suspicious of 14 are shown.",
    ]


def test_a_run_without_its_answers_is_told_which_file_it_lacks(written: MadeRun) -> None:
    lines = written.folder / "predictions.jsonl"
    text = lines.read_text(encoding="utf-8")
    try:
        lines.write_text(text.partition("\n")[0], encoding="utf-8")
        with pytest.raises(DataError, match=r"has 1 lines; metrics\.json tells of 6 test pictures"):
            open_finished(written.folder)
        lines.unlink()
        with pytest.raises(SettingsError, match=r"lacks predictions\.jsonl, which a finished run has"):
            open_finished(written.folder)
    finally:
        lines.write_text(text, encoding="utf-8")


def test_the_page_is_made_of_what_lies_in_the_folder(written: MadeRun, chinese: Told) -> None:
    verdict, found = chinese
    text = render(Report(name="animals", made="now", verdict=verdict, sections=list(found.values())), CHINESE)
    for words in ("平均精度", "标注与回答", "最有把握的误报", "漏标", 'class="wide larger"', 'class="wide"'):
        assert words in text
    shown = [
        one
        for section in found.values()
        for block in of_kind(section, Pictures)
        for group in block.groups
        for one in group.pictures
    ]
    assert text.count("data:image/jpeg;base64,") == len(shown)
    assert all(one.picture for one in shown)


def test_names_that_cannot_be_drawn_are_told(english: Told) -> None:
    said = [block.text for block in english[1]["seen"].blocks if isinstance(block, Paragraph)]
    # Whether a font here has Chinese letters depends on the machine.
    assert any("codes stand in their place" in one for one in said) == bool(lacking(CLASSES))


@pytest.mark.parametrize(
    ("threshold", "known", "measured", "words"),
    [
        (2.0, 0.9, {"known": {"value": 0.9}}, "is called unknown; 10.0 % of the test pictures are."),
        (None, None, {"known": None}, "too few to tell when a picture is unlike those that it was trained on"),
        (None, None, None, None),  # the file is older than that, or has no embedding
    ],
)
def test_when_a_picture_is_unknown_is_told(threshold: Any, known: Any, measured: Any, words: str | None) -> None:
    plain = manifest()
    update = {"novelty_threshold": threshold, "known": None if known is None else Score(value=known)}
    own = plain.model_copy(update={"record": plain.record.model_copy(update=update)})
    run: Any = SimpleNamespace(manifest=own, metrics={} if measured is None else {"abstention": measured})
    texts = [block.text for block in _decision(run, ENGLISH).blocks if isinstance(block, Paragraph)]
    assert len(texts) == (1 if words is None else 2)
    assert words is None or words in texts[1].replace("\u00a0", " ")
