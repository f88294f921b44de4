"""What a search leaves behind, and what the report tells of it. In: a made record. Out: the same again, a table, a section."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tellapart.bundle import Score
from tellapart.errors import DataError
from tellapart.reporting.blocks import Report, Verdict
from tellapart.reporting.page import render
from tellapart.reporting.phrases import LANGUAGES, Phrases
from tellapart.reporting.search_section import search_section
from tellapart.runs.open import OpenRun
from tellapart.runs.search_record import SearchRecord, SearchTrial, read_search, write_search
from tellapart.runs.searched import search_part


@pytest.fixture
def record() -> SearchRecord:
    trials = [
        SearchTrial(
            number=number,
            state="done",
            settings={"loop.learning_rate": 10.0**-number, "loop.optimizer": "adamw" if number % 2 else "sgd"},
            validation=0.8 + 0.02 * number,
            loss=0.5 - 0.01 * number,
            epochs=3,
            seconds=1.25,
        )
        for number in range(1, 5)
    ]
    trials.append(replace(trials[0], number=5, state="failed", validation=None, loss=None, reason="=the <loss> is nan"))
    trials.append(replace(trials[0], number=6, state="stopped", validation=None, loss=None, epochs=1))
    return SearchRecord(
        figure="accuracy",
        strategy="finetune",
        how="tpe",
        space={"loop.learning_rate": {"low": 1e-5, "high": 0.1, "log": True}, "loop.optimizer": ["adamw", "sgd"]},
        trials=tuple(trials),
        usual=SearchTrial(number=-1, state="done", settings={}, validation=0.85),
        best=4,
        n_validation=200,
        importance={"loop.learning_rate": 0.9, "loop.optimizer": 0.1},
        seconds=12.0,
    )


def test_it_reads_back(record: SearchRecord, tmp_path: Path) -> None:
    assert read_search(tmp_path) is None
    write_search(tmp_path, record)
    assert read_search(tmp_path) == record
    assert record.winner.number == 4
    assert replace(record, best=None).winner is record.usual


def test_the_table_has_all_trials_and_no_formula(record: SearchRecord, tmp_path: Path) -> None:
    write_search(tmp_path, record)
    rows = list(csv.DictReader((tmp_path / "search" / "trials.csv").read_text().splitlines()))
    assert [row["trial"] for row in rows] == ["usual", "1", "2", "3", "4", "5", "6"]
    assert rows[4]["validation_accuracy"] == "0.88"
    assert rows[4]["loop.learning_rate"] == "0.0001"
    assert rows[5]["reason"] == "'=the <loss> is nan"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"trials": [{"nothing": 1}]}'])
def test_a_damaged_record_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search.json").write_text(text)
    with pytest.raises(
        DataError, match="search.json is damaged. Without it the report tells nothing of the search: move it away."
    ):
        read_search(tmp_path)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_report_tells_it(language: str, record: SearchRecord, tiny_model: Path) -> None:
    run = OpenRun(tiny_model)  # tested with an accuracy of 90 %, 80 to 95
    assert search_part(run) is None
    write_search(run.folder, record)
    part = search_part(run)
    assert part is not None
    assert part.counts == (4, 1, 1)
    assert not part.beyond_chance
    phrases = Phrases("zh" if language == "zh" else "en")
    section = search_section(part, phrases)
    verdict = Verdict(sentence="", score=Score(value=0.9, low=0.8, high=0.95), references=[])
    page = render(Report(name="x", made="", verdict=verdict, sections=[section]), phrases)
    assert page.count("<svg") >= 5  # history, importance, two slices, parallel coordinates
    assert "the &lt;loss&gt; is nan" in page
    assert "loop.learning_rate = 0.0001, loop.optimizer = sgd" in page
    if language == "en":
        assert "4 settings were trained on the training pictures and compared on 200 validation pictures" in page
        assert "On validation accuracy is 88.0\u00a0%; it is 85.0\u00a0% without a search." in page
        assert "That is no less than on validation" in page


def test_a_flattered_winner_is_a_warning(record: SearchRecord, tiny_model: Path) -> None:
    run = OpenRun(tiny_model)
    best = replace(record.trials[3], validation=0.99)
    write_search(run.folder, replace(record, trials=(*record.trials[:3], best)))
    part = search_part(run)
    assert part is not None
    assert part.beyond_chance
    blocks = search_section(part, Phrases("en")).blocks
    told = [block for block in blocks if getattr(block, "tone", "") == "warning"]
    assert len(told) == 1
    assert "9.0 points less than on validation, more than chance would make it" in json.dumps(
        [getattr(told[0], "text", "")]
    )
