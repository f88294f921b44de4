"""Text on pictures. In: sentences in two languages. Out: lines that fit, broken where each language may be."""

from __future__ import annotations

import pytest

from tellapart.drawing import lettering
from tellapart.drawing.lettering import can_write, font_for, joined, wrapped


def test_words_stay_whole_and_wide_letters_do_not() -> None:
    width = round(font_for("x", 15, "").getlength("Drawn at random. N"))
    lines = wrapped("Drawn at random. Network input 224 x 224.", 15, "", width)
    assert " ".join(lines) == "Drawn at random. Network input 224 x 224."
    assert len(lines) > 1
    assert all(font_for("x", 15, "").getlength(line) <= width for line in lines)
    assert list(lettering._words("网络 input 图，x")) == ["网", "络 ", "input ", "图，", "x"]
    assert wrapped("", 15, "", 100) == []


def test_sentences_follow_each_other_as_their_language_has_it() -> None:
    assert joined(["One.", "Two."]) == "One. Two."
    assert joined(["第一句。", "第二句。", "Three."]) == "第一句。第二句。Three."


def test_which_letters_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_write("Grad-CAM 0.5")
    monkeypatch.setattr(lettering, "_FONTS", ())
    assert not can_write("图片")
