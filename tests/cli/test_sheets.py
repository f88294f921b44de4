"""What sheets say. In: the language of the screen, fonts. Out: Chinese, or English and why."""

from __future__ import annotations

import io
import sys

import pytest

from tellapart.cli.sheets import said_of_sheets, said_on_sheets
from tellapart.cli.speaking import ChineseStream
from tellapart.drawing import lettering
from tellapart.drawing.lettering import listed
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


def test_settings_are_told_in_words_and_their_values_as_they_are_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    from tellapart.data.augmentation import PRESETS, RANGES, resolve, switched_on

    light, trivial = (switched_on(resolve(name)) for name in ("light", "trivial"))
    assert listed(light) == "Horizontal flip 0.5, shift 0.05, zoom 0.1, brightness 0.1, fill mirror."
    speak_chinese(monkeypatch)
    assert listed(light, said_of_sheets) == "水平翻转 0.5，平移 0.05，缩放 0.1，亮度 0.1，填充 mirror。"
    assert listed(trivial, said_of_sheets) == "水平翻转 0.5，TrivialAugment 的一项操作，填充 mirror。"
    words = {name for preset in PRESETS for name, _ in switched_on(resolve(preset))}
    words |= {name.replace("_", " ") for name in RANGES if name != "fill_value"} | {"quarter turns"}
    same = {word for word in words if said_of_sheets(word) == word}
    assert same == {"mixup", "cutmix"}  # as Chinese has them


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
