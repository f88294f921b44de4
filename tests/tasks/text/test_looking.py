"""What a report reads again of its texts. In: a run of made texts. Out: labels, a curve, a map, copies; nothing that is markup."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tellapart.cli.main import execute
from tellapart.reporting.phrases import Phrases
from tellapart.runs.finished import open_finished
from tellapart.runs.result import TrainResult
from tellapart.tasks.text.looking import look_again, shortened, told_sections


def test_what_a_report_tells_of_the_texts_themselves(learned: TrainResult, tmp_path: Path) -> None:
    page = learned.report.read_text(encoding="utf-8")  # type: ignore[union-attr]
    assert "What more texts would bring" in page
    assert "Map of the texts" in page
    assert "img src=x onerror=alert(2)" in page, "the text whose label was planted"
    plane = json.loads(re.search(r'id="plane-data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert plane["side"] == 0
    assert len(plane["names"]) == 161
    assert any("<script>alert(1)</script>" in name for name in plane["names"])
    assert "<script>alert(1)" not in page
    assert "sprites" not in page.replace('getElementById("sprites")', "")
    assert execute(["report", str(learned.run), "--lang", "zh", "--out", str(tmp_path / "zh.html")]) == 0
    chinese = (tmp_path / "zh.html").read_text(encoding="utf-8")
    assert "文本地图" in chinese
    for text in (page, chinese):
        body = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.DOTALL)
        assert not re.search(r"\bpictures?\b|图片", re.sub(r"<[^>]*>", "", body)), "texts are called texts"


def test_texts_that_are_gone_or_changed_are_told(learned: TrainResult, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\nanother,rain\n", encoding="utf-8")
    for where, reason in (
        (tmp_path / "t.csv", "none of them stands in"),
        (tmp_path / "none.csv", "there is no folder or file"),
    ):
        run = open_finished(learned.run, pictures=where)
        looked = look_again(run)
        assert reason in looked.read.reason
        (told,) = told_sections(run, looked, Phrases("en", item="text"))
        assert "no labels are judged and no map is drawn" in told.blocks[0].text  # type: ignore[union-attr]


def test_long_texts_are_shortened_in_one_line() -> None:
    assert shortened("a\n b") == "a b"
    assert len(shortened("a" * 999)) == 201


def test_next_draws_the_curve_and_chooses_texts(
    learned: TrainResult, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["next", str(learned.run), "--quiet"]) == 0
    told = capsys.readouterr().out
    assert "training texts     wrong" in told
    assert "picture" not in told
    assert "(of a classifier of n-grams)" in told
    known = next(text for text in look_again(open_finished(learned.run)).read.texts)
    new = tmp_path / "new.csv"
    new.write_text(
        f'text\n"{known}"\n"{known}, no"\nwarm w1 w2 and wet w3\n=1+1 new words\n=1+1 new words\n\u200b\n',
        encoding="utf-8",
    )
    out = tmp_path / "todo.csv"
    assert execute(["next", str(learned.run), str(new), "-n", "9", "--out", str(out), "--quiet"]) == 0
    assert "2 known already, or copies of what is, 1 copied more than once" in capsys.readouterr().out
    table = out.read_text(encoding="utf-8-sig").splitlines()
    assert table[0] == "path,text,label,suggested,probability,why"
    assert len(table) == 3
    assert any("warm w1 w2 and wet w3,," in line for line in table)
    assert execute(["next", str(learned.run), str(new), "--json", "--quiet", "--strategy", "margin"]) == 0
    first = json.loads(capsys.readouterr().out)["texts"][0]
    assert set(first) == {"path", "text", "suggested", "probability", "why"}
    new.write_text(f'text\n"{known}"\n', encoding="utf-8")
    assert execute(["next", str(learned.run), str(new), "--quiet"]) != 0
    assert "of 1 text none is one to label: 1 known" in capsys.readouterr().err
