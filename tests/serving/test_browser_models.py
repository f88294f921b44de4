"""The page and models that come and go, of any names. In: Debian's chromium, a real server. Out: what a person would see."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.bundle import ClassificationRecord, Manifest, open_model
from tellapart.export.assemble import assemble
from tellapart.serving.corrections import Corrections
from tellapart.serving.opened import Version
from tellapart.serving.service import ToExplain

from .browser import MARKS, WORDS, Page
from .conftest import Start, png

LONG = "Corn_(maize)___Cercospora_leaf_spot_Gray_leaf_spot" * 3

pytestmark = MARKS

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, tiny_network: Path, models: Path) -> Make:
    """Write version NUMBER of a model in `served/`, with class names of its own; it answers in sets."""
    known: Manifest = open_model(models / "single" / "model.onnx").manifest
    abstention = known.record_of(ClassificationRecord).abstention
    assert abstention is not None
    novelty = {
        "least_length": np.array([1e-6], dtype=np.float32),
        "centre": np.zeros(3, dtype=np.float32),
        "directions": np.eye(3, dtype=np.float32),
        "scales": np.ones(3, dtype=np.float32),
        "means": np.zeros((1, 3), dtype=np.float32),
        "residual_scale": np.array([1.0], dtype=np.float32),
    }

    def write(*classes: str, name: str = "leaves", number: int = 1) -> Path:
        sets = abstention.model_copy(update={"novelty_threshold": 1e9})  # nothing is unknown to it
        data = assemble(
            tiny_network,
            weight=np.eye(3, dtype=np.float32)[::-1].copy() * 10,
            bias=np.zeros(3, dtype=np.float32),
            manifest=known.model_copy(
                update={"classes": classes, "record": ClassificationRecord(temperature=4.0, abstention=sets)}
            ),
            novelty=novelty,
        )
        folder = tmp_path / "served" / name / str(number)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(data)
        return tmp_path / "served"

    return write


def test_what_is_asked_later_goes_to_the_version_that_answered(
    chromium: Any, start: Start, make: Make, green: Path, tmp_path: Path
) -> None:
    explained: list[tuple[int, str]] = []

    def explain(version: Version, data: bytes, shown: ToExplain) -> bytes:
        explained.append((version.number, version.classes[shown.label]))
        return png((1, 2, 3))

    kept = tmp_path / "corrections"
    root = make("blue", "green", "red")
    server = start(str(root), words=WORDS, explain=explain, corrections=Corrections(kept, most_bytes=10**7))
    page = Page(chromium, server)
    page.give(green)
    assert page.answers(1)[0].startswith("green ")
    make("adder", "bear", "cat", number=2)
    server.repository.refresh()
    page.click("[data-key=heat]")
    page.wait(lambda: page.texts("figcaption"))
    assert "“green”" in page.find("figcaption").text
    assert explained == [(1, "green")]
    page.click("[data-key=wrong]")
    page.choose("[data-key=class]", "blue")
    page.click("[data-key=save]")
    page.wait(lambda: "Saved as “blue”" in page.find("article").text)
    with open(next(kept.rglob("labels.csv")), encoding="utf-8", newline="") as file:
        assert [(row["label"], row["version"]) for row in csv.DictReader(file)] == [("blue", "1")]

    make("dog", "emu", "fox", number=3)
    server.repository.refresh()  # two are kept: version 1 goes
    page.click("[data-key=wrong]")
    page.choose("[data-key=class]", "red")
    page.click("[data-key=save]")
    page.wait(lambda: "The model has changed since this answer." in page.find("article .notice").text)
    assert page.focused() == "again"
    page.click("[data-key=again]")
    page.wait(lambda: page.texts("article h3")[0].startswith("emu "))
    page.click("[data-key=heat]")
    page.wait(lambda: page.texts("figcaption"))
    assert explained[1:] == [(3, "emu")]
    assert page.complaints() == []


def test_another_model_under_the_same_number(chromium: Any, start: Start, make: Make, green: Path) -> None:
    root = make("blue", "green", "red")
    server = start(str(root), words=WORDS, explain=lambda version, data, shown: png((1, 2, 3)))
    page = Page(chromium, server)
    page.give(green)
    page.answers(1)
    file = root / "leaves" / "1" / "model.onnx"
    file.unlink()
    file.parent.rmdir()
    make("adder", "bear", "cat")
    server.repository.refresh()
    page.click("[data-key=heat]")
    page.wait(lambda: "The model has changed since this answer." in page.find("article").text)
    assert page.texts("figcaption") == []
    page.click("[data-key=again]")
    page.wait(lambda: page.texts("article h3")[0].startswith("bear "))
    assert page.texts(".chips span") == ["adder", "bear", "cat"]


def test_a_new_version_is_seen(chromium: Any, start: Start, make: Make, green: Path) -> None:
    root = make("blue", "green", "red")
    server = start(str(root), words=WORDS)
    page = Page(chromium, server)
    page.wait(lambda: page.find("#about").is_displayed())
    make("adder", "bear", "cat", number=2)
    make("one", "two", "three", name="other")
    server.repository.refresh()
    assert not page.find("#model").is_displayed()
    page.give(green)
    assert page.answers(1)[0].startswith("bear ")
    page.wait(lambda: page.texts(".chips span") == ["adder", "bear", "cat"])
    assert page.texts("dd")[3] == "2"
    assert page.texts("#model option") == ["leaves", "other"]  # one came, and the picker with it
    assert page.complaints() == []


def test_a_model_that_is_gone(chromium: Any, start: Start, make: Make, green: Path) -> None:
    root = make("blue", "green", "red")
    server = start(str(root), words=WORDS, control=True)
    page = Page(chromium, server)
    page.wait(lambda: page.find("#about").is_displayed())

    def rename(old: str, *new: str) -> None:
        for name in new:
            make("one", "two", "three", name=name)
        server.repository.refresh()
        server.repository.unload(old)

    rename("leaves", "other")
    page.give(green)
    assert page.answers(1)[0].startswith("two ")  # the only one that there is now
    assert page.find(".model-name").text == "other"
    rename("other", "third", "fourth")
    page.give(green)
    assert page.answers(2)[0] == "This model is no longer there"
    assert "no longer serves “other”. Choose another model" in page.find("article.failed").text
    page.choose("#model", "third")
    page.click("[data-key=retry]")
    page.wait(lambda: page.texts("article h3")[0].startswith("two "))
    assert page.texts("article .file span")[0] == "green.png · third"
    assert page.complaints() == []


def test_long_names_stay_on_a_phones_screen(
    chromium: Any, start: Start, make: Make, tmp_path: Path, green: Path
) -> None:
    server = start(
        str(make("a" * 150, LONG, "x" * 150)),
        words=WORDS,
        explain=lambda version, data, shown: png((1, 2, 3)),
        corrections=Corrections(tmp_path / "corrections", most_bytes=10**7),
    )
    page = Page(chromium, server)
    (tmp_path / "grey.png").write_bytes(png((100, 100, 100)))

    def check() -> None:
        wide = """
          const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
          for (let node; (node = walk.nextNode()); ) {
            const range = document.createRange();
            range.selectNodeContents(node);
            const clipped = node.parentElement.closest(".similar, .file-name, option, .unseen");
            if (!clipped && [...range.getClientRects()].some((one) => one.right > innerWidth)) found.push(node.data);
          }
          return [found, document.documentElement.scrollWidth, innerWidth];
        """
        assert page.driver.execute_script(wide) == [[], 360, 360]

    with page.sized(360):
        page.give(green, tmp_path / "grey.png")
        page.answers(2)
        assert "It may be any of these" in page.find("article:last-child").text
        page.wait(lambda: len(page.texts("#history-list li")) == 2)
        check()
        page.click("article [data-key=wrong]")
        page.choose("[data-key=class]", LONG)
        page.click("[data-key=save]")
        page.wait(lambda: "Saved as “" in page.find("article").text)
        check()
        page.click("article [data-key=heat]")
        page.wait(lambda: page.texts("figcaption"))
        check()
