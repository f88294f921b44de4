"""The page when things fail, or are let go. In: Debian's chromium, a real server. Out: what a person would see."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from tellapart.serving.corrections import Corrections
from tellapart.serving.opened import Version
from tellapart.serving.service import ToExplain

from .browser import MARKS, WORDS, Page
from .conftest import MOST_PIXELS, PATIENCE, Running, Start, png

KEY = "a-key-of-twenty-letters"
WIDE_A = "\uff41"  # as Chinese keyboards write it

pytestmark = MARKS


def asked(server: Running, name: str) -> int:
    """Requests that a model was sent."""
    statistics = server.repository.get(name).statistics
    return statistics.success.count + statistics.fail.count


def test_a_key_that_cannot_be_sent(chromium: Any, start: Start, green: Path) -> None:
    page = Page(chromium, start(words=WORDS, keys=[KEY]))

    def enter(key: str, why: str) -> None:
        page.wait(lambda: page.find("#key-box").is_displayed())
        page.find("#key").clear()
        page.find("#key").send_keys(key + "\n")
        page.wait(lambda: page.find("#key-wrong").text.startswith(WORDS[why]["en"]))
        assert page.find("#key-box").is_displayed()
        assert page.driver.execute_script("return sessionStorage.getItem('tellapart_key')") is None

    for key in (f"{WIDE_A}nother-key-of-twenty", "密钥", "a key with blanks, of more than twenty"):
        enter(key, "page_key_letters")
    enter("another-key-of-twenty-letters", "page_key_wrong")
    page.find("#key").send_keys(KEY + "\n")
    page.wait(lambda: page.find("#about").is_displayed())

    for stored in (
        f"{WIDE_A}nother-key-of-twenty",
        "a-key-that-was-right-once",
    ):  # by an earlier page; by an earlier server
        page.driver.execute_script("sessionStorage.setItem('tellapart_key', arguments[0])", stored)
        page.driver.refresh()
        page.wait(lambda: page.find("#key-box").is_displayed())
        page.find("#key").send_keys(KEY + "\n")
        page.wait(lambda: page.find("#about").is_displayed())
    assert page.texts(".complaint") == []
    assert page.complaints() == []


def test_what_was_cleared_is_not_asked_for(chromium: Any, start: Start, models: Path, green: Path) -> None:
    server = start(f"single={models / 'single'}", words=WORDS)
    page = Page(chromium, server)
    page.wait(lambda: page.find("#about").is_displayed())
    page.connect(latency=1000)
    try:
        page.give(*[green] * 6)
        page.wait(lambda: len(page.driver.find_elements("css selector", "article[aria-busy=true]")) == 6)
        page.click("#clear-results")
        assert page.texts("article") == []
        page.wait(lambda: page.find("#empty").is_displayed())
        time.sleep(3)  # three times as long as those two under way would have taken
        assert page.texts("#history-list li") == []
        assert page.find("#spoken").get_attribute("textContent") == ""
        page.give(*[green] * 5)
        page.click("article:last-child [data-key=remove]")  # it waits
        page.click("article:first-child [data-key=remove]")  # it is under way
        page.answers(3)
    finally:
        page.connect()
    page.wait(lambda: len(page.texts("#history-list li")) == 3)
    assert (
        asked(server, "single") <= 2 + 4
    )  # under way when they were let go, and of the others all but the one that waited
    assert page.complaints() == []


def test_the_focus_is_not_taken_from_elsewhere(
    chromium: Any, start: Start, models: Path, green: Path, tmp_path: Path
) -> None:
    corrections = Corrections(tmp_path / "corrections", most_bytes=10**7)
    page = Page(chromium, start(f"single={models / 'single'}", words=WORDS, corrections=corrections))
    page.give(green)
    page.answers(1)
    page.connect(latency=700)
    try:
        for elsewhere, then in ((True, "choose"), (False, "wrong")):
            page.click("[data-key=wrong]")
            page.choose("[data-key=class]", "blue")
            page.find("[data-key=save]").send_keys("\n")
            if elsewhere:
                page.driver.execute_script("document.getElementById('choose').focus()")
            page.wait(lambda: "Saved as “blue”" in page.find("article").text)
            assert page.focused() == then
    finally:
        page.connect()


def test_a_server_that_hangs(chromium: Any, start: Start, models: Path, green: Path) -> None:
    go_on = threading.Event()

    def explain(version: Version, data: bytes, shown: ToExplain) -> bytes:
        go_on.wait(PATIENCE)
        return png((1, 2, 3))

    page = Page(chromium, start(f"single={models / 'single'}", words=WORDS, explain=explain))
    page.give(green)
    page.answers(1)
    try:
        # Two minutes are one second for this page from now on.
        page.driver.execute_script(
            "const real = setTimeout; window.setTimeout = (task, wait) => real(task, wait / 120)"
        )
        page.click("[data-key=heat]")
        page.wait(lambda: "There is no heatmap: The server does not answer in time" in page.find("article").text)
        page.connect(latency=2000)
        page.give(green)
        page.wait(lambda: page.texts("article h3")[:1] == ["The server does not answer in time"])
    finally:
        go_on.set()
        page.connect()
    page.driver.execute_script("window.setTimeout = (task, wait) => 0")
    page.click("[data-key=retry]")
    page.wait(lambda: page.texts("article h3")[0].startswith("green "))
    assert page.complaints() == []


def test_too_many_pixels(chromium: Any, start: Start, models: Path, tmp_path: Path) -> None:
    corrections = Corrections(tmp_path / "corrections", most_bytes=10**7)
    page = Page(chromium, start(f"single={models / 'single'}", words=WORDS, corrections=corrections))
    (tmp_path / "large.png").write_bytes(png((90, 140, 90), (2000, 1500)))
    page.give(tmp_path / "large.png")
    assert page.answers(1)[0].startswith("green ")
    assert "Sent smaller, as 1,154 × 866: the original has more pixels" in page.find("article").text
    assert MOST_PIXELS >= 1154 * 866
    page.click("[data-key=wrong]")
    page.choose("[data-key=class]", "blue")
    page.click("[data-key=save]")
    page.wait(lambda: "Saved as “blue”" in page.find("article").text)

    # This browser cannot decode it, the server sees its size at once.
    cut = (tmp_path / "large.png").read_bytes()[:60]
    (tmp_path / "cut.png").write_bytes(cut)
    page.give(tmp_path / "cut.png")
    assert page.answers(2)[0] == "The picture has too many pixels"
    assert "2,000 x 1,500 pixels; the limit is 1,000,000 in all" in page.find("article.failed").text
    assert "AVIF" not in page.find("article.failed").text
    assert page.complaints() == []


def test_what_is_wrong_with_a_file_is_said_in_the_visitors_language(
    chromium: Any, start: Start, green: Path, tmp_path: Path
) -> None:
    page = Page(chromium, start(words=WORDS))
    cut, other = tmp_path / "cut.png", tmp_path / "other.jpg"
    cut.write_bytes(green.read_bytes()[:60])
    other.write_bytes(b"no picture at all")
    for language in ("en", "zh"):
        page.give(cut, other)
        page.answers(2)
        for article, why in zip(page.texts("article"), ("page_bad_file_damaged", "page_bad_file_more"), strict=True):
            assert WORDS["page_bad_file"][language] in article
            assert WORDS[why][language] in article
        page.click("#clear-results")
        page.click("#language")
    assert page.complaints() == []
