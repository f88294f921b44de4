"""The page of a model of texts. In: Debian's chromium, a real server. Out: what a person would see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tellapart.workflows.serving.heatmaps import make_explainer

from .browser import MARKS, WORDS, Page
from .conftest import Running, Start
from .test_texts import model_file  # noqa: F401

pytestmark = MARKS

SHOTS = os.environ.get("TELLAPART_SCREENSHOTS")  # a folder, for people who want to look


@pytest.fixture
def server(start: Start, model_file: Path, models: Path) -> Running:  # noqa: F811
    pictures = f"single={models / 'single'}"
    return start(f"mood={model_file}", pictures, words=WORDS, explain=make_explainer())


@pytest.fixture
def page(chromium: Any, server: Running) -> Iterator[Page]:
    shown = Page(chromium, server)
    shown.wait(lambda: shown.find("#model-choice").is_displayed())
    shown.choose("#model", "mood")
    yield shown
    assert shown.complaints() == []


def write(page: Page, text: str) -> None:
    page.driver.execute_script("document.getElementById('text').value = arguments[0]", text)
    page.click("#ask")


def shoot(page: Page, name: str) -> None:
    if SHOTS:
        page.driver.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


def test_a_text_is_answered_and_its_words_are_coloured(page: Page) -> None:
    assert page.find("#text").is_displayed()
    assert not page.find("#drop").is_displayed()
    write(page, "A fine film, so dull <script>window.hit = 1</script><img src=x onerror='window.hit = 2'>")
    (title,) = page.answers(1)
    assert title[0] in "xyz"
    page.wait(lambda: page.texts(".written span"))
    assert page.texts(".written span")[:5] == ["a", "fine", "film,", "so", "dull"]
    strengths = page.driver.execute_script(
        "return [...document.querySelectorAll('.written span')].map(one => getComputedStyle(one).backgroundColor)"
    )
    assert len(set(strengths)) > 2
    hit = page.driver.execute_script("return [window.hit ?? null, document.querySelectorAll('.written img').length]")
    assert hit == [None, 0]
    assert "5 texts of made" in page.find("#about").text
    assert "speaks for" in page.texts("figcaption")[0]
    shares = [float(text.split()[-2]) for text in page.texts("article .figure")]
    assert sum(shares) == pytest.approx(100, abs=0.2)
    shoot(page, "texts")
    page.click("#language")
    assert page.texts("#ask") == ["识别"]
    assert "支持" in page.texts("figcaption")[0]
    assert page.find("#text").get_attribute("placeholder") == WORDS["page_write_example"]["zh"]
    shoot(page, "texts-zh")
    with page.sized(390):
        shoot(page, "texts-narrow")
        assert page.driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    page.click("#language")
    page.click("[data-key=heat]")
    page.wait(lambda: page.texts(".written")[0].startswith("A fine film, so dull <script>"))


def test_files_keys_and_pictures(page: Page, tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("fine weather", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\u200b", encoding="utf-8")
    page.find("#text-files").send_keys("\n".join(str(tmp_path / name) for name in ("one.txt", "empty.txt")))
    answers = page.answers(2)
    assert answers[1] == "This text cannot be used"
    assert page.texts("article .file span") == ["one.txt · mood", "empty.txt · mood"]
    page.click("#clear-results")
    assert page.focused() == "text"
    page.find("#text").send_keys("so dull \ue009\ue007")  # Ctrl+Enter
    assert len(page.answers(1)) == 1
    (tmp_path / "three.csv").write_text("text,id\nfine,1\nso dull,2\ndull rain,3\n", encoding="utf-8")
    page.find("#text-files").send_keys(str(tmp_path / "three.csv"))
    assert page.answers(2)[:1] == ["This text cannot be used"]
    assert "It is a table of 3 texts." in page.texts("article")[0]
    shoot(page, "texts-table")
    page.wait(lambda: page.texts("#history-list li"))
    page.choose("#model", "single")
    assert page.find("#drop").is_displayed()
    assert not page.find("#text").is_displayed()
