"""Both languages are whole. In: phrases.toml, the pages' templates and scripts. Out: keys and values that match."""

from __future__ import annotations

import locale
import re
import string
from pathlib import Path

import pytest

from tellapart.bundle import Score
from tellapart.errors import SettingsError
from tellapart.reporting.phrases import LANGUAGES, OF_TEXTS, Phrases, language_of, of_texts, table

SOURCES = Path(__file__).parents[2] / "src" / "tellapart"


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", list(table()))
def test_every_phrase_is_in_both_languages_with_the_same_values(key: str) -> None:
    phrase = table()[key]
    assert set(phrase) == set(LANGUAGES)
    assert all(text.strip() == text and text for text in phrase.values())
    assert fields(phrase["en"]) == fields(phrase["zh"])
    assert all(fields(of_texts(text)) == fields(text) for text in phrase.values())


def test_chinese_is_chinese_but_for_names() -> None:
    plain = {key for key, phrase in table().items() if not re.search(r"[\u4e00-\u9fff]", phrase["zh"])}
    assert plain == {"auroc", "f1"}


def test_every_phrase_is_used_and_every_used_one_is_there() -> None:
    texts = [
        path.read_text()
        for folder in ("reporting", "runs", "serving", "tasks", "workflows")
        for path in (SOURCES / folder).rglob("*.*")
        if path.suffix in (".py", ".html", ".js")
    ]
    used = set(re.findall(r"""["'](\w+)["']""", "\n".join(texts)))
    assert {key.removesuffix(OF_TEXTS) for key in table()} <= used
    asked = set(re.findall(r"""\bt\(["'](\w+)["']""", "\n".join(texts)))
    assert asked <= set(table())


def test_values_are_written_as_the_language_does() -> None:
    english, chinese = Phrases("en"), Phrases("zh")
    assert english("data_lead", n=12345, classes=2, train=1, validation=2, test=3).startswith(
        "12,345 pictures in 2 classes"
    )
    assert (english.percent(0.9876), chinese.percent(0.9876), english.percent(None)) == ("98.8\u00a0%", "98.8%", "–")
    assert (english.joined(["a", "b"]), chinese.joined(["a", "b"])) == ("a, b", "a、b")
    assert [english.duration(seconds) for seconds in (9.4, 60, 75, 754)] == ["9 s", "1 min", "1 min 15 s", "12 min"]
    with pytest.raises(KeyError):
        english("no such phrase")


def test_whole_numbers_are_grouped_and_words_are_put_as_they_are() -> None:
    english = Phrases("en")
    assert english("times", n=1234567) == "1,234,567 times"
    assert english("next_weak", accuracy="1234567").startswith("The model is weak: 1234567 right.")
    assert english("seconds", n=1234.5) == "1234.5 s"


def test_shares_are_percentages_and_names_stand_in_a_row() -> None:
    english, chinese = Phrases("en"), Phrases("zh")
    assert english("abstention_novelty", share=0.0456).endswith("called unknown; 4.6\u00a0% of the test pictures are.")
    assert chinese("abstention_novelty", share=0.0456).endswith("测试图片中有 4.6% 如此。")
    assert chinese("next_few", names=["猫", "狗"]).startswith("为 猫、狗 增加测试图片")
    assert english("curves_some", n=2, classes=3) == "The 2 classes with the lowest recall of 3."


def test_sentences_and_intervals_stand_as_the_language_puts_them() -> None:
    english, chinese = Phrases("en"), Phrases("zh")
    assert english.sentences("One.", "", "Two.") == "One. Two."
    assert chinese.sentences("一。", "", "二。") == "一。二。"
    score = Score(value=0.5, low=0.25, high=0.625)
    assert english.interval(score) == "25.0\u00a0% – 62.5\u00a0%"
    assert english.interval(score, share=False) == "0.250 – 0.625"
    assert [english.interval(one) for one in (None, Score(value=1), Score(value=1, low=0.5))] == ["–", "–", "–"]
    assert (english.named("log_loss"), chinese.named("log_loss")) == ("log loss", "对数损失")
    assert chinese.named("mean_of_all") == "mean of all"
    assert Phrases("zh")("times", n=1234567) == "1,234,567 次"
    assert (english.language, Phrases("zh").language) == ("en", "zh")


def test_a_share_has_as_many_digits_as_asked_for() -> None:
    english, chinese = Phrases("en"), Phrases("zh")
    assert [english.percent(0.98765, digits) for digits in (0, 1, 2)] == ["99\u00a0%", "98.8\u00a0%", "98.77\u00a0%"]
    assert [chinese.percent(share) for share in (0.0, 0.5, 1.0)] == ["0.0%", "50.0%", "100.0%"]
    assert chinese.percent(None) == "–"


def test_names_in_a_row() -> None:
    for phrases, separator in ((Phrases("en"), ", "), (Phrases("zh"), "、")):
        assert phrases.joined([]) == ""
        assert phrases.joined(["猫"]) == "猫"
        assert phrases.joined(["b", "a", "c"]) == separator.join("bac")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (119, "1 min 59 s"),
        (120, "2 min"),
        (599, "9 min 59 s"),
        (600, "10 min"),
        (659, "10 min"),
        (3660, "61 min"),
    ],
)
def test_a_time_is_told_in_seconds_up_to_ten_minutes(seconds: float, said: str) -> None:
    assert Phrases("en").duration(seconds) == said
    chinese = said.replace(" min", " 分钟").replace(" s", " 秒").replace("分钟 ", "分 ")
    assert Phrases("zh").duration(seconds) == chinese


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LC_ALL": "C", "LANG": "zh_CN"}, "en"),
        ({"LC_MESSAGES": "zh_SG", "LANG": "en_GB"}, "zh"),
        ({"LC_MESSAGES": "zh_TW", "LANG": "zh_CN"}, "en"),
        ({"LANG": "zh_HK.UTF-8"}, "en"),
        ({"LANGUAGE": "zh:en"}, "zh"),
        ({"LANG": "ZH"}, "zh"),
        ({"LANG": "en_ZH"}, "en"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
        ({"LANGUAGE": "en", "LANG": "zh_CN"}, "en"),
        ({"LC_MESSAGES": "de_DE", "LANGUAGE": "zh"}, "en"),
        ({"LC_ALL": "en_GB", "LC_MESSAGES": "zh_TW"}, "en"),
    ],
)
def test_the_language_is_the_systems_unless_one_is_asked_for(
    environment: dict[str, str], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert language_of(None) == language
    assert (language_of("zh"), language_of("en")) == ("zh", "en")


@pytest.mark.parametrize(
    ("system", "language"),
    [
        (("zh_CN", "UTF-8"), "zh"),
        (("Chinese (Simplified)_China", "936"), "zh"),  # as Windows says it
        (("Chinese (Traditional)_Taiwan", "950"), "en"),
        (("de_DE", "UTF-8"), "en"),
        ((None, None), "en"),
    ],
)
def test_where_no_variable_tells_the_system_s_locale_does(
    system: tuple[str | None, str | None], language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(locale, "getlocale", lambda: system)
    assert language_of(None) == language
    assert language_of("en") == "en"


def test_a_language_that_no_report_is_in_is_refused() -> None:
    with pytest.raises(SettingsError, match="the language is 'fr'; a report is in one of en, zh. Give one of them."):
        language_of("fr")


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "Check 0 labels that are probably wrong"),
        (1, "Check 1 label that is probably wrong"),
        (1234, "Check 1,234 labels that are probably wrong"),
    ],
)
def test_one_is_not_told_as_several(count: int, shown: str) -> None:
    assert Phrases("en")("next_labels", n=count).startswith(f"{shown}:")


def test_of_texts_the_same_is_said_of_texts() -> None:
    english, chinese = (Phrases(language, item="text") for language in LANGUAGES)
    assert english("compare_about", n=1).startswith("1 text, the same for both.")
    assert english("labels_counts", wrong=1, outliers=2, ambiguous=0).startswith(
        "1 label is probably wrong, 2 texts are like"
    )
    assert "10 条测试文本" in chinese("texts_verdict", n=10, accuracy=0.5, low=0.4, high=0.6)
    assert of_texts("在 {n} 张测试图片上、从 {all} 张图片中、{ambiguous} 张介于两类之间") == (
        "在 {n} 条测试文本上、从 {all} 条文本中、{ambiguous} 条介于两类之间"
    )
    assert english("map_lead") == table()["map_lead_of_texts"]["en"]


@pytest.mark.parametrize("key", [key for key in table() if key.endswith(OF_TEXTS)])
def test_what_texts_have_of_their_own_stands_for_something(key: str) -> None:
    assert key.removesuffix(OF_TEXTS) in table()
    assert not re.search("picture|图片", " ".join(table()[key].values()))
