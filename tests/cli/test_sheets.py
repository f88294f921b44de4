"""What sheets say. In: the language of the screen, fonts. Out: Chinese, or English and why."""

from __future__ import annotations

import io
import sys

import pytest

from tellapart.cli.sheets import said_of_sheets, said_on_sheets
from tellapart.cli.speaking import ChineseStream
from tellapart.drawing import lettering
from tellapart.reporter import Silent


class Heard(Silent):
    """Keeps what is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warn(self, text: str) -> None:
        self.said.append(text)


def speak_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", ChineseStream(io.StringIO()))


def test_english_where_the_screen_speaks_english() -> None:
    heard = Heard()
    assert said_on_sheets(heard)("What the network sees") == "What the network sees"
    assert heard.said == []


def test_sentences_and_words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    speak_chinese(monkeypatch)
    assert said_of_sheets("What the network sees") == "网络看到的内容"
    assert said_of_sheets("deletion 0.04, insertion 0.45") == "删除 0.04，插入 0.45"
    assert said_of_sheets("training") == "训练"
    assert said_of_sheets("stage 3") == "阶段 3"
    assert said_of_sheets("Horizontal flip 0.5") == "Horizontal flip 0.5"  # names of settings stay


def test_without_a_font_it_is_english_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a computer with Pillow's own font alone."""
    speak_chinese(monkeypatch)
    monkeypatch.setattr(lettering, "_FONTS", ())
    heard = Heard()
    assert said_on_sheets(heard)("What the network sees") == "What the network sees"
    assert heard.said == [
        (
            "no font here has Chinese letters, so what is drawn speaks English. Install one, such as fonts-noto-cjk or "
            "fonts-wqy-zenhei."
        )
    ]
