"""The report of masks, in words and pictures. In: a run made by hand. Out: sections in two languages, a page."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.errors import DataError
from tellapart.features.cache import Cache
from tellapart.reporter import Silent
from tellapart.reporting.blocks import Charts, Paragraph, Pictures, Report, Section, Steps, Table, Verdict
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Phrases
from tellapart.runs.answered_masks import read_mask_lines
from tellapart.runs.finished import open_finished
from tellapart.runs.open import OpenRun
from tellapart.tasks.segmentation.results import area_rows, verdict, worst_rows
from tellapart.tasks.segmentation.sections import sections

from .made_masks import CLASSES
from .made_run import masks, write_run

ENGLISH, CHINESE = Phrases("en"), Phrases("zh")
KEYS = ["next", "data", "learning", "results", "seen", "mistakes", "doubts", "decision", "about"]
PAGES = os.environ.get("TELLAPART_PAGES")  # a folder, for people who want to look
Told = tuple[Verdict, dict[str, Section]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    with Cache(tmp_path_factory.mktemp("sections") / "cache", limit_bytes=10**8) as opened:
        yield opened


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> OpenRun:
    return write_run(tmp_path_factory.mktemp("masks") / "run")


def tell(run: OpenRun, cache: Cache, phrases: Phrases = ENGLISH) -> Told:
    told, found = sections(run, phrases, cache=cache, reporter=Silent())
    return told, {section.key: section for section in found}


@pytest.fixture(scope="module")
def english(run: OpenRun, cache: Cache) -> Told:
    return tell(open_finished(run.folder), cache)


def texts(section: Section) -> str:
    return " ".join(block.text for block in section.blocks if isinstance(block, Paragraph))


def test_the_verdict_stands_beside_what_costs_nothing(english: Told, run: OpenRun) -> None:
    told, _ = english
    test = run.metrics["test"]
    assert told.score.value == test["iou"]["value"]
    assert told.sentence.startswith("A mean IoU of ")
    assert [value for value, _ in told.references] == [test["nothing_learned"]["iou"], 0.5]
    assert "Telling “background” of every pixel would give" in told.references[0][1]
    assert "Mean Dice is" in told.note


def test_every_section_is_there_in_both_languages(english: Told, run: OpenRun, cache: Cache) -> None:
    chinese = tell(run, cache, CHINESE)
    for (told, found), language in ((english, "en"), (chinese, "zh")):
        assert list(found) == KEYS
        report = Report(name="cells", made="now", verdict=told, sections=list(found.values()))
        page = render(report, Phrases(language))
        assert "<svg" in page
        if PAGES:
            Path(PAGES, f"masks-{language}.html").write_text(page, encoding="utf-8")


def test_pictures_show_truth_answer_and_difference(english: Told, run: OpenRun) -> None:
    _, found = english
    (block,) = [one for one in found["seen"].blocks if isinstance(one, Pictures)]
    shown = block.groups[0].pictures
    assert len(shown) == 6
    assert all(one.picture is not None and "IoU" in one.caption[0].text for one in shown)
    picture = shown[0].picture or ""
    with Image.open(io.BytesIO(base64.b64decode(picture.partition(",")[2]))) as image:
        assert image.width == 3 * 220 + 12
        assert image.height > 220  # with its legend
    worst, best = (one for one in found["mistakes"].blocks if isinstance(one, Pictures))
    order = sorted(run.mask_predictions.lines, key=lambda line: line.iou or 0.0)
    assert [one.name for one in worst.groups[0].pictures] == [line.path.name for line in order]
    assert [one.name for one in best.groups[0].pictures] == [line.path.name for line in order[:-4:-1]]


def test_a_planted_fault_is_among_the_doubts(english: Told) -> None:
    _, found = english
    section = found["doubts"]
    assert "1 region with a thing that is not labelled" in texts(section)
    (block,) = [one for one in section.blocks if isinstance(one, Pictures)]
    (one,) = block.groups[0].pictures
    assert one.name == "5.png"
    assert (one.caption[0].name, one.caption[1].name) == ("background", "cell")


def test_results_have_every_class_and_three_charts(english: Told, run: OpenRun) -> None:
    _, found = english
    tables = [one for one in found["results"].blocks if isinstance(one, Table)]
    assert [row[0] for row in tables[1].rows] == list(CLASSES)
    (charts,) = [one for one in found["results"].blocks if isinstance(one, Charts)]
    titles = [one.title for one in charts.charts]
    assert titles == [
        "Pictures by their IoU",
        ENGLISH("reliability"),
        "Parts found and missed by size",
    ]
    assert "off by 2 pixels at most" in texts(found["results"])
    assert "on 1,234 pixels of validation pictures" in texts(found["decision"])
    (steps,) = [one for one in found["next"].blocks if isinstance(one, Steps)]
    assert any("Masks to look at again" in item for item in steps.items)


def test_the_mean_of_several_networks_has_no_temperature(tmp_path: Path, cache: Cache) -> None:
    _, found = tell(write_run(tmp_path / "run", calibration=None), cache)
    assert "the most probable class of the mean of the networks' probabilities" in texts(found["decision"])


def test_rows_count_the_pictures_of_each_split(run: OpenRun) -> None:
    rows = area_rows(run)
    assert [row.name for row in rows] == list(CLASSES)
    assert rows[0].train == 2
    assert rows[0].test == 6
    trained = np.concatenate([masks(number)[0].reshape(-1) for number in (6, 7)])
    assert [row.share for row in rows] == pytest.approx([(trained == one).mean() for one in range(3)])
    assert worst_rows(rows, 1)[0].iou == min((row.iou for row in rows if row.iou), key=lambda one: one.value)


def test_leaks_and_a_weak_model_are_said(tmp_path: Path, cache: Cache) -> None:
    run = write_run(tmp_path / "run", gone=0)
    test = run.metrics["test"]
    weak = {"value": 0.2, "low": 0.1, "high": 0.3}
    run.__dict__["metrics"] = run.metrics | {
        "test": test | {"iou": weak, "things": [[0] * 12, [0] * 12]},
        "leaked": 2,
        "test_without_leaked": test | {"n": 4},
        "validation": [{"strategy": "probe", "iou": 0.2, "dice": 0.3}],
        "probe_test": None,
    }
    told, found = tell(run, cache)
    assert told.warning.startswith("2 test pictures have a copy")
    assert len(told.references) == 1
    assert told.doubt
    (steps,) = [one for one in found["next"].blocks if isinstance(one, Steps)]
    assert steps.items[0].startswith("The model is weak")
    pictures = [
        one for block in found["seen"].blocks if isinstance(block, Pictures) for one in block.groups[0].pictures
    ]
    assert [one.picture for one in pictures if one.name == "0.png"] == [None]
    assert len(verdict(run, area_rows(run), doubted=1).compared) == 1


def test_lines_read_back_and_wrong_ones_are_told(run: OpenRun, tmp_path: Path) -> None:
    table = run.mask_predictions
    for number in (0, 5):
        truth, told = table.masks(number)
        np.testing.assert_array_equal(truth, masks(number)[0])
        np.testing.assert_array_equal(told, masks(number)[1])
    lines = (run.folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[1])
    wrong = (
        "[]",
        "{}",
        json.dumps(row | {"iou": 2}),
        json.dumps(row | {"width": -1}),
        json.dumps(row | {"doubts": [{}]}),
    )
    for text in wrong:
        (tmp_path / "lines.jsonl").write_text("\n".join([lines[0], text]), encoding="utf-8")
        with pytest.raises(
            DataError, match=r"lines.jsonl, line 2: not a picture's masks as `tellapart train` writes them"
        ):
            read_mask_lines(tmp_path / "lines.jsonl")
    for change in ({"truth": "!"}, {"answer": row["truth"], "height": 47}):
        (tmp_path / "lines.jsonl").write_text(json.dumps(row | change), encoding="utf-8")
        with pytest.raises(DataError, match="line 1: not a picture's masks"):
            read_mask_lines(tmp_path / "lines.jsonl").masks(0)
