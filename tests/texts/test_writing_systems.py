"""Which letters texts are made of. In: texts. Out: writing systems."""

from __future__ import annotations

import pytest

from tellapart.texts.writing_systems import count_letters, is_unspaced, main_systems


def test_letters_are_counted_by_writing_system() -> None:
    found = count_letters(["Bahn 12, 電車 でんしゃ!", "поезд"])
    assert found == {"Latin": 4, "Chinese characters": 2, "Japanese kana": 4, "Cyrillic": 5}


@pytest.mark.parametrize(
    ("texts", "unspaced"),
    [
        (["今天天气很好 ok"], True),
        (["한국어 문장"], True),
        (["รถไฟ"], True),
        (["a train 電車"], False),
        (["😀 12"], False),
    ],
)
def test_texts_without_blanks_between_words(texts: list[str], unspaced: bool) -> None:
    assert is_unspaced(texts) is unspaced


def test_each_text_is_in_the_writing_system_of_most_of_its_letters() -> None:
    texts = ["Bahn 電", "12 !", "", "поезд a", "\ud800 電車"]
    assert main_systems(texts) == ["Latin", "", "", "Cyrillic", "Chinese characters"]
    assert main_systems([]) == []
