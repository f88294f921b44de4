"""The page in a real browser. In: Debian's chromium, a real server. Out: what a person would see."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.serving.bodies import Limits
from tellapart.serving.corrections import Corrections
from tellapart.serving.hosts import hosts_for
from tellapart.workflows.serving.heatmaps import make_explainer

from .browser import MARKS, WORDS, Page
from .conftest import Running, Start, png

KEY = "a-key-of-twenty-letters"
pytestmark = MARKS


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {
        "green.png": png((90, 140, 90)),
        "red.png": png((150, 90, 100)),
        "bad.jpg": b"no picture",
        "odd.png": png((255, 0, 0)),
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    return {name: tmp_path / name for name in made}


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "corrections"


@pytest.fixture
def server(start: Start, models: Path, kept: Path) -> Running:
    return start(
        f"single={models / 'single'}",
        words=WORDS,
        explain=make_explainer(),
        corrections=Corrections(kept, most_bytes=10**7),
        hosts=hosts_for("127.0.0.1", ()),
    )


@pytest.fixture
def page(chromium: Any, server: Running) -> Iterator[Page]:
    shown = Page(chromium, server)
    yield shown
    assert shown.complaints() == []


def test_several_pictures_and_a_bad_one(page: Page, files: dict[str, Path]) -> None:
    page.give(files["green.png"], files["bad.jpg"], files["odd.png"])
    assert page.answers(3) == [page.texts("article h3")[0], "This file cannot be used", "Nearest class: 红色"]
    assert page.texts("article h3")[0].startswith("green ")
    assert page.texts("article .file span") == ["green.png", "bad.jpg", "odd.png"]
    assert "not a picture in a known format" in page.find("article.failed").text
    assert "Unlike anything the model was trained on" in page.texts("article")[2]
    shares = [float(text.split()[-2]) for text in page.texts("article:first-child .figure")]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(100, abs=0.2)
    assert page.find("#about").text.split("\n")[1] == "single"
    assert "Right in 90.0" in page.find("#about").text
    page.wait(lambda: len(page.texts("#history-list li")) == 2)
    assert page.find("#spoken").get_attribute("textContent") != ""
    page.click("article:first-child [data-key=remove]")
    assert page.texts("article .file span") == ["bad.jpg", "odd.png"]
    page.click("#clear-results")
    assert page.texts("article") == []
    assert page.find("#empty").is_displayed()


def test_heatmap(page: Page, files: dict[str, Path]) -> None:
    page.give(files["green.png"])
    page.answers(1)
    before = page.find("figure img").get_attribute("src")
    page.click("[data-key=heat]")
    page.wait(lambda: page.texts("figcaption"))
    shown = page.find("figure img")
    assert shown.get_attribute("src").startswith("data:image/png;base64,")
    assert page.driver.execute_script("return arguments[0].naturalWidth", shown) == 16
    assert "“green”" in page.find("figcaption").text
    page.click("[data-key=heat]")
    assert page.find("figure img").get_attribute("src") == before
    assert page.driver.switch_to.active_element.get_attribute("data-key") == "heat"  # the keyboard stays where it was


def test_language_and_colours_stay(page: Page, files: dict[str, Path]) -> None:
    page.give(files["odd.png"], files["bad.jpg"])
    page.answers(2)
    page.click("#language")
    page.click("#theme")
    for _ in range(2):
        assert page.find("html").get_attribute("lang") == "zh-CN"
        assert page.find("html").get_attribute("data-theme") == "dark"
        assert page.find("h1").text == page.driver.title == "试用模型"
        assert page.find("#language").text == "English"
        page.wait(lambda: page.find("#about tbody th").get_attribute("textContent") == "准确率")
        assert page.find("footer").text == "程序接口\uff1a/openapi.json"
        if page.texts("article"):
            assert page.texts("article h3") == [
                WORDS["page_nearest"]["zh"].format(label="红色"),
                "无法使用此文件",
            ]
            page.driver.refresh()
    page.wait(lambda: page.texts("#history-list li"))  # it outlives a reload; the results do not
    assert "与训练图片不符" in page.find("#history-list").text
    page.click("#clear-history")
    assert page.texts("#history-list li") == []
    page.driver.refresh()
    assert page.texts("#history-list li") == []
    page.click("#language")
    assert page.find("h1").text == "Try the model"


def test_a_correction(page: Page, files: dict[str, Path], kept: Path) -> None:
    page.give(files["green.png"])
    page.answers(1)
    page.click("[data-key=wrong]")
    assert page.driver.switch_to.active_element.get_attribute("data-key") == "class"
    page.click("[data-key=save]")  # without a class nothing happens
    assert not (kept / "single" / "labels.csv").exists()
    for label in ("blue", "红色"):
        page.choose("[data-key=class]", label)
        page.click("[data-key=save]")
        page.wait(lambda label=label: f"Saved as “{label}”" in page.find("article").text)
        with open(kept / "single" / "labels.csv", encoding="utf-8", newline="") as file:
            (row,) = csv.DictReader(file)
        assert (row["label"], row["model"]) == (label, "single")
        page.click("[data-key=wrong]")
    assert (kept / "single" / row["path"]).read_bytes() == files["green.png"].read_bytes()
    page.click("[data-key=cancel]")
    shutil.rmtree(kept)
    kept.write_text("a file, no folder")
    page.click("[data-key=wrong]")
    page.choose("[data-key=class]", "blue")
    page.click("[data-key=save]")
    page.wait(lambda: "It was not saved: the correction could not be kept" in page.find("article").text)


def test_paste_and_drop(page: Page, files: dict[str, Path]) -> None:
    page.driver.execute_script(
        """
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(arguments[0])], "pasted.png", { type: "image/png" }));
        document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
        for (const kind of ["dragenter", "dragover", "drop"]) {
          document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
        }
        """,
        list(files["red.png"].read_bytes()),
    )
    assert len(page.answers(2)) == 2
    assert page.texts("article .file span") == ["pasted.png"] * 2
    assert not page.find("#veil").is_displayed()


def test_the_camera(page: Page) -> None:
    page.click("#camera")
    page.wait(lambda: page.find("#camera-shoot").is_enabled())
    page.wait(lambda: page.driver.execute_script("return document.getElementById('camera-view').videoWidth"))
    page.click("#camera-shoot")
    assert len(page.answers(1)) == 1
    assert page.texts("article .file span")[0].startswith("camera-")
    assert not page.find("#camera-box").is_displayed()


def test_where_there_is_no_camera_it_says_why(page: Page) -> None:
    page.driver.execute_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    page.click("#camera")
    page.wait(lambda: "HTTPS and on localhost only" in page.find("#camera-problem").text)
    page.click("#camera-close")


def test_several_models(chromium: Any, start: Start, files: dict[str, Path]) -> None:
    page = Page(chromium, start(words=WORDS))
    page.wait(lambda: page.find("#model").is_displayed())
    for model in ("colours", "single"):
        page.choose("#model", model)
        assert page.find(".model-name").text == model
        page.give(files["green.png"])
        page.answers(1 if model == "colours" else 2)
    assert page.texts("article .file span") == ["green.png · single", "green.png · colours"]
    assert page.texts("[data-key=wrong], [data-key=heat]") == []  # neither was switched on
    assert page.complaints() == []


def test_a_server_that_wants_a_key(chromium: Any, start: Start, files: dict[str, Path]) -> None:
    page = Page(chromium, start(words=WORDS, keys=[KEY]))
    page.wait(lambda: page.find("#key-box").is_displayed())
    page.click("#key-cancel")
    page.wait(lambda: page.texts(".complaint h3") == ["This server wants a key"])
    page.click(".complaint button")
    for key, wrong in (("a-wrong-key-of-21-char", True), (KEY, False)):
        page.wait(lambda: page.find("#key-box").is_displayed())
        page.find("#key").send_keys(key + "\n")
        page.wait(lambda wrong=wrong: page.find("#key-wrong").is_displayed() is wrong)
    page.choose("#model", "single")
    page.give(files["green.png"])
    assert page.answers(1)[0].startswith("green ")
    page.driver.refresh()
    page.wait(lambda: page.find("#about").is_displayed())  # it is kept in the tab
    assert page.complaints() == []


def test_busy(page: Page, server: Running, files: dict[str, Path]) -> None:
    page.wait(lambda: page.find("#about").is_displayed())
    server.service.batcher.stop_taking()
    page.give(files["green.png"])
    assert page.answers(1) == ["The server is busy"]
    page.click("[data-key=retry]")
    assert page.answers(1) == ["The server is busy"]
    assert page.driver.switch_to.active_element.get_attribute("data-key") == "retry"


def test_gone_and_there_again(page: Page, files: dict[str, Path]) -> None:
    page.wait(lambda: page.find("#about").is_displayed())
    page.connect(offline=True)
    page.give(files["green.png"])
    assert page.answers(1) == ["The server does not answer"]
    page.connect()
    page.click("[data-key=retry]")
    page.wait(lambda: page.texts("article h3")[0].startswith("green "))


def test_what_is_over_the_limit_is_sent_smaller(chromium: Any, start: Start, models: Path, tmp_path: Path) -> None:
    page = Page(chromium, start(f"single={models / 'single'}", words=WORDS, limits=Limits(body_bytes=2**20)))
    coarse = np.random.default_rng(0).integers(0, 256, (800, 1000, 3), dtype=np.uint8)
    Image.fromarray(coarse).save(tmp_path / "large.png")  # 2.4 MB
    (tmp_path / "large.txt").write_bytes(bytes(2**21))
    page.give(tmp_path / "large.png")
    page.answers(1)
    assert "Sent smaller, as " in page.find("article").text
    page.give(tmp_path / "large.txt")
    assert page.answers(2)[0] == "The file is too large"
    assert page.complaints() == []


@pytest.mark.parametrize("width", [320, *(pytest.param(one, marks=pytest.mark.long) for one in (390, 768)), 1440])
def test_nothing_is_wider_than_the_screen(page: Page, files: dict[str, Path], tmp_path: Path, width: int) -> None:
    name = tmp_path / ("a_name_without_any_place_to_break_" * 4 + ".png")
    os.link(files["green.png"], name)
    with page.sized(width):
        page.give(name, files["odd.png"], files["bad.jpg"])
        page.answers(3)
        page.click("article:first-child [data-key=wrong]")
        assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
