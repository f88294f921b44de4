"""The page of a model that makes masks. In: Debian's chromium, a real server. Out: what a person would see, and can do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tellapart.serving.corrections import Corrections
from tellapart.serving.hosts import hosts_for
from tests.answers.made_masker import CLASSES, masker_bytes

from .browser import MARKS, WORDS, Page
from .conftest import Running, Start

pytestmark = MARKS

SHOTS = os.environ.get("TELLAPART_SCREENSHOTS")  # a folder, for people who want to look
WIDTH, HEIGHT = 320, 240
BLUE = CLASSES[1]


@pytest.fixture
def server(start: Start, tmp_path: Path) -> Running:
    (tmp_path / "model.onnx").write_bytes(masker_bytes())
    return start(
        f"paints={tmp_path / 'model.onnx'}",
        words=WORDS,
        explain=lambda *_: b"",
        corrections=Corrections(tmp_path / "kept", most_bytes=10**7),
        hosts=hosts_for("127.0.0.1", ()),
    )


@pytest.fixture
def page(chromium: Any, server: Running) -> Iterator[Page]:
    shown = Page(chromium, server)
    yield shown
    # Reading pixels again and again is what these tests do, not the page.
    assert [one for one in shown.complaints() if "willReadFrequently" not in one] == []


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """A dark picture with two blue discs and a red bar."""
    image = Image.new("RGB", (WIDTH, HEIGHT), (20, 24, 20))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 20, 119, 119), fill=(0, 0, 255))
    draw.ellipse((200, 60, 239, 99), fill=(0, 0, 255))
    draw.rectangle((60, 180, 279, 199), fill=(255, 0, 0))
    path = tmp_path / "things.png"
    image.save(path)
    return path


def photograph(page: Page, name: str) -> None:
    if SHOTS:
        page.driver.save_screenshot(os.path.join(SHOTS, f"{name}.png"))


def pixel(page: Page, x: int, y: int) -> list[int]:
    """Red, green, blue and opacity of a pixel of what is laid over the picture."""
    script = """
        const canvas = document.querySelector('article .layer canvas');
        return [...canvas.getContext('2d').getImageData(arguments[0], arguments[1], 1, 1).data];
    """
    found: list[int] = page.driver.execute_script(script, x, y)
    return found


def point(page: Page, x: int, y: int) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    canvas = page.find("article .layer canvas")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    size = canvas.size
    across, down = size["width"] * ((x + 0.5) / WIDTH - 0.5), size["height"] * ((y + 0.5) / HEIGHT - 0.5)
    ActionChains(page.driver, duration=20).move_to_element_with_offset(canvas, round(across), round(down)).perform()


def shown(page: Page, path: Path) -> None:
    page.give(path)
    page.answers(1)
    page.wait(lambda: page.driver.execute_script("return document.querySelector('article canvas')?.width") == WIDTH)


def plain(texts: list[str]) -> list[str]:
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in texts]


def test_the_mask_lies_over_the_picture(page: Page, things: Path) -> None:
    shown(page, things)
    (title,) = plain(page.texts("article h3"))
    assert title.startswith(f"{BLUE} 11.")
    assert ", red 5.7 %" in title
    inside, edge = pixel(page, 70, 70), pixel(page, 60, 185)
    assert inside == pytest.approx([0, 114, 178, round(0.45 * 255)], abs=2)
    assert edge[:3] == pytest.approx([230, 159, 0], abs=2)
    assert pixel(page, 60, 180) == [230, 159, 0, 255], "the border is whole"
    assert pixel(page, 160, 20)[3] == 0, "nothing lies over the background"
    frame, canvas = page.find("article .frame").size, page.find("article canvas").size
    assert canvas == frame
    assert page.find("#spoken").text.startswith(f"things.png: {BLUE} 11.")
    assert plain(page.texts("#history-list strong")) == [title]
    assert page.driver.find_elements("css selector", "[data-key=heat], [data-key=wrong]") == []
    photograph(page, "masks")


def test_the_slider_says_how_strong_it_is(page: Page, things: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    shown(page, things)
    slider = page.find("[data-key=strength]")
    assert slider.accessible_name == "Strength of the colours"
    slider.send_keys(Keys.END)
    assert pixel(page, 70, 70)[3] == 255
    photograph(page, "masks-strong")
    slider.send_keys(Keys.HOME)
    assert pixel(page, 70, 70)[3] == pixel(page, 60, 180)[3] == 0


def test_a_pixel_says_its_class_and_its_probability(page: Page, things: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    shown(page, things)
    assert page.texts("article .threshold p")[0].startswith("Point at the picture")
    point(page, 70, 70)
    page.wait(lambda: page.find("article .tip").is_displayed())
    assert plain(page.texts("article .tip"))[0].startswith(f"{BLUE}, ")
    assert page.texts("article .tip") == page.texts("article .threshold p")
    photograph(page, "masks-pointed")
    point(page, 300, 20)
    page.wait(lambda: page.texts("article .tip")[0].startswith("background, "))
    layer = page.find("article .layer")
    page.driver.execute_script("arguments[0].focus()", layer)
    for _ in range(40):
        layer.send_keys(Keys.ARROW_DOWN)
    for _ in range(40):
        layer.send_keys(Keys.ARROW_LEFT)
    for _ in range(5):
        layer.send_keys(Keys.ARROW_UP)
    assert "%" in page.texts("article .tip")[0]


def test_the_legend_hides_a_class_and_the_table_tells_parts(page: Page, things: Path) -> None:
    shown(page, things)
    assert page.texts("article .legend .label") == list(CLASSES)
    assert not page.find("[data-key=legend-0]").is_enabled(), "the background is never laid over a picture"
    page.find("[data-key=legend-1]").send_keys(" ")
    assert page.find("[data-key=legend-1]").get_attribute("aria-pressed") == "false"
    assert page.focused() == "legend-1"
    assert pixel(page, 70, 70)[3] == 0
    assert pixel(page, 100, 190)[3] > 0
    page.click("[data-key=table]")
    rows = [text.split() for text in page.texts("article tbody tr")]
    assert rows[1][-2] == "2"
    assert rows[0][-2:] == ["–", "–"]
    assert rows[2][-1] == "4,400"
    page.click("[data-key=uncertain]")
    assert pixel(page, 160, 20)[:2] == pytest.approx([213, 94], abs=8)
    assert pixel(page, 70, 70)[3] == 0, "the model is sure"
    photograph(page, "masks-uncertain")


def test_in_chinese_and_on_a_phone(page: Page, things: Path) -> None:
    shown(page, things)
    page.click("#language")
    assert "颜色深浅" in page.find("article").text
    with page.sized(390):
        wide = page.driver.execute_script("return document.documentElement.scrollWidth")
        assert wide <= 390
        photograph(page, "masks-phone")
    page.click("#language")


def test_nothing_but_background(page: Page, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / "dark.png")
    shown(page, tmp_path / "dark.png")
    assert page.texts("article h3") == ["Nothing but background"]
