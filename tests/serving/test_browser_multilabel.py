"""The page of a model that names several classes. In: Debian's chromium, a real server. Out: what a person would see."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.serving.corrections import Corrections
from tellapart.serving.gallery import write_gallery
from tellapart.serving.hosts import hosts_for
from tellapart.workflows.serving.heatmaps import make_explainer

from .browser import MARKS, WORDS, Page
from .conftest import Running, Start, png

pytestmark = MARKS

SHOTS = os.environ.get("TELLAPART_SCREENSHOTS")  # a folder, for people who want to look


@pytest.fixture
def models_of_both(tmp_path: Path, several_bytes: bytes, deciding_bytes: bytes) -> Path:
    for name, data in (("one", deciding_bytes), ("several", several_bytes)):
        (tmp_path / "both" / name).mkdir(parents=True)
        (tmp_path / "both" / name / "model.onnx").write_bytes(data)
    return tmp_path / "both"


@pytest.fixture
def server(start: Start, models_of_both: Path, tmp_path: Path) -> Running:
    return start(
        str(models_of_both),
        words=WORDS,
        explain=make_explainer(),
        corrections=Corrections(tmp_path / "kept", most_bytes=10**7),
        hosts=hosts_for("127.0.0.1", ()),
    )


@pytest.fixture
def page(chromium: Any, server: Running) -> Iterator[Page]:
    shown = Page(chromium, server)
    shown.wait(lambda: shown.find("#model-choice").is_displayed())
    shown.choose("#model", "several")
    yield shown
    assert shown.complaints() == []


@pytest.fixture
def pictures_of_all(tmp_path: Path) -> list[Path]:
    """None of the colours; two of them; one that is unlike the training."""
    made = {"grey.png": (90, 90, 90), "sea.png": (60, 120, 200), "red.png": (250, 0, 0)}
    for name, colour in made.items():
        (tmp_path / name).write_bytes(png(colour))
    return [tmp_path / name for name in made]


def photograph(page: Page, name: str) -> None:
    if SHOTS is not None:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.driver.save_screenshot(str(Path(SHOTS) / f"{name}.png"))


def marks(page: Page, card: int) -> dict[str, tuple[bool, float]]:
    """Of each bar: whether its class is highlighted, and where its mark stands, in percent of the bar."""
    script = """
        return [...document.querySelectorAll('article')[arguments[0]].querySelectorAll('.bars li')].map((row) => {
          const [bar, mark] = ['.bar', '.mark'].map((name) => row.querySelector(name).getBoundingClientRect());
          const at = 100 * (mark.left + mark.width / 2 - bar.left) / bar.width;
          return [row.querySelector('.label').innerText, row.classList.contains('chosen'), at];
        });"""
    return {label: (chosen, at) for label, chosen, at in page.driver.execute_script(script, card)}


def test_each_class_has_its_bar_and_its_mark(page: Page, pictures_of_all: list[Path]) -> None:
    page.give(*pictures_of_all)
    assert page.answers(3) == ["None of the classes", "blue, green", "红色"]
    found = marks(page, 1)
    assert list(found) == ["blue", "green", "红色"], "the named ones first"
    assert [chosen for chosen, _ in found.values()] == [True, True, False]
    assert [at for _, at in found.values()] == pytest.approx([50, 25, 75], abs=1)
    assert not any(chosen for chosen, _ in marks(page, 0).values())
    assert "Unlike anything the model was trained on" in page.texts("article")[2]
    assert "may be any of" not in page.texts("article")[1]
    assert "A class is named where its bar reaches the mark." in page.texts("article")[1]
    assert page.find("#spoken").get_attribute("textContent")
    photograph(page, "multilabel")
    page.wait(lambda: len(page.texts("#history-list li")) == 3)
    assert {"None of the classes", "blue, green", "红色"} == set(page.texts("#history-list strong"))
    about = page.find("#about").text
    assert "Mean average precision 95.3" in about
    assert "93.0" in about
    page.click("#language")
    assert page.texts("article h3") == ["不含任何类别", "blue、green", "红色"]


def test_training_pictures_like_it_are_shown_with_all_their_classes(
    chromium: Any, start: Start, models_of_both: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.jpg"
    Image.new("RGB", (32, 32), (60, 120, 200)).save(copy)
    write_gallery(
        models_of_both / "several" / "gallery.npz",
        model=models_of_both / "several" / "model.onnx",
        embeddings=np.array([[0.2, 0.5, 0.8], [0.3, 0.5, 0.8], [0.1, 0.9, 0.1]]),
        labels=np.array([[True, True, False], [True, False, False], [False, False, False]]),
        jpegs=[copy.read_bytes()] * 3,
    )
    page = Page(chromium, start(str(models_of_both), words=WORDS, hosts=hosts_for("127.0.0.1", ())))
    page.wait(lambda: page.find("#model-choice").is_displayed())
    page.choose("#model", "several")
    (tmp_path / "sea.png").write_bytes(png((60, 120, 200)))
    page.give(tmp_path / "sea.png")
    assert page.answers(1) == ["blue, green"]
    shown = page.driver.find_elements("css selector", ".similar li")
    assert {one.text: one.get_attribute("class") for one in shown} == {
        "blue, green": "",
        "blue": "other",
        "None of the classes": "other",
    }
    photograph(page, "multilabel-similar")
    assert page.complaints() == []


def test_what_a_picture_shows_is_corrected_with_boxes(page: Page, pictures_of_all: list[Path], tmp_path: Path) -> None:
    page.give(pictures_of_all[1])
    page.answers(1)
    page.click("[data-key=wrong]")
    boxes = page.driver.find_elements("css selector", ".correct input")
    assert [one.is_selected() for one in boxes] == [True, True, False], "it starts from what the model named"
    photograph(page, "multilabel-correction")
    boxes[0].click()
    boxes[2].click()
    page.click("[data-key=save]")
    page.wait(lambda: "Saved as “green, 红色”" in page.find("article").text)
    page.click("[data-key=wrong]")
    for box in page.driver.find_elements("css selector", ".correct input:checked"):
        box.click()
    page.click("[data-key=save]")
    page.wait(lambda: "Saved as “None of the classes”" in page.find("article").text)
    with open(tmp_path / "kept" / "several" / "labels.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["labels"] == ""


def test_a_heatmap_is_of_the_most_probable_class(page: Page, pictures_of_all: list[Path]) -> None:
    page.give(pictures_of_all[1])
    page.answers(1)
    page.click("[data-key=heat]")
    page.wait(lambda: page.texts("figcaption"))
    assert "“blue”" in page.find("figcaption").text


def test_both_tasks_on_one_page(page: Page, pictures_of_all: list[Path]) -> None:
    page.give(pictures_of_all[1])
    page.answers(1)
    page.choose("#model", "one")
    page.give(pictures_of_all[1])
    page.answers(2)
    first, second = page.texts("article")
    assert "sure" in first
    assert "sure" not in second
    assert (
        page.driver.execute_script("return document.querySelectorAll('article')[0].querySelectorAll('.mark').length")
        == 0
    )
    photograph(page, "both")


def test_a_model_that_was_exchanged_for_one_of_the_other_task(
    page: Page, server: Running, models_of_both: Path, deciding_bytes: bytes, pictures_of_all: list[Path]
) -> None:
    (models_of_both / "several" / "model.onnx").write_bytes(deciding_bytes)
    server.repository.refresh()
    page.give(pictures_of_all[1])
    (said,) = page.answers(1)
    assert "sure" in said
    assert "Right in 90.0" in page.find("#about").text, "what the page knows of the model is renewed"
