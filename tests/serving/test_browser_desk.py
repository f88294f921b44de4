"""The labelling desk in a real browser. In: Debian's chromium, a desk. Out: what a person presses and sees, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tellapart.data.to_label import ToLabel

from .browser import MARKS, Page
from .conftest import png
from .desks import WORDS, RunningDesk, running_desk

pytestmark = MARKS
BACK, SPACE, ENTER, ESCAPE, LEFT, RIGHT, DOWN = "\ue003", " ", "\ue007", "\ue00c", "\ue012", "\ue014", "\ue015"


class DeskPage(Page):
    """A person at the desk."""

    def __init__(self, driver: Any, server: RunningDesk) -> None:
        super().__init__(driver, server)
        self.server = server

    def press(self, key: str) -> None:
        """One key, wherever the focus is."""
        self.driver.switch_to.active_element.send_keys(key)

    def at(self, number: int | None) -> None:
        """Wait until picture `number`, from 1, can be labelled; None: until there is none."""
        if number is None:
            self.wait(lambda: self.find("#done").is_displayed())
            return
        self.wait(lambda: self.find("#position").text.startswith(f"Picture {number} of"))
        self.wait(lambda: not self.find("#loading").is_displayed())


Open = Callable[..., DeskPage]


@pytest.fixture
def open_desk(chromium: Any, tmp_path: Path) -> Iterator[Open]:
    """A desk of four pictures, of which the third is none; the earlier one is ended."""
    (tmp_path / "pictures").mkdir()
    for number in range(4):
        data = b"no picture" if number == 2 else png((60 * number, 90, 30))
        (tmp_path / "pictures" / f"{number}.png").write_bytes(data)
    held, pages = ExitStack(), list[DeskPage]()

    def open_one(*, classes: tuple[str, ...] = ("cat", "dog"), **more: Any) -> DeskPage:
        held.close()
        pictures = [
            ToLabel(file=str(path), name=path.name, suggested=("dog",), probability=0.875, why="uncertain")
            for path in sorted((tmp_path / "pictures").iterdir())
        ]
        server = held.enter_context(running_desk(pictures, tmp_path / "labels", classes=classes, **more))
        pages.append(DeskPage(chromium, server))
        return pages[-1]

    yield open_one
    assert pages[-1].complaints() == []
    held.close()


def test_from_the_first_picture_to_the_last_by_keys(open_desk: Open) -> None:
    page = open_desk()
    page.at(1)
    assert page.texts("#classes button") == ["1\ncat", "2\ndog\n87.5\u00a0%"]
    page.wait(lambda: page.find("#trouble").text == "“2.png” is passed over: not a picture in a known format.")
    assert page.find("#why").text == "Why this one: uncertain"
    assert page.find("#picture").get_attribute("alt") == "The picture to label: 0.png"
    page.press("1")
    page.at(2)
    assert page.server.rows == ["../pictures/0.png,cat"]
    assert page.find("#counts").text == "1 of 4 labelled · 1 cannot be labelled"
    assert page.find("#trouble").is_displayed() is False
    page.press("3")  # there is no third class
    page.press(SPACE)
    page.at(4)
    assert page.find("#counts").text == "1 of 4 labelled · 1 skipped · 1 cannot be labelled"
    page.press(ENTER)  # what is suggested
    page.at(None)
    assert page.server.rows == ["../pictures/0.png,cat", "../pictures/3.png,dog"]
    page.wait(lambda: page.texts("#problems li") == ["2.png: not a picture in a known format"])
    assert "--labels" in page.find("#train").text
    page.click("#again")
    page.at(2)
    page.press("2")
    page.at(None)
    assert page.find("#again").is_displayed() is False


def test_steps_are_taken_back_and_the_next_command_goes_on(open_desk: Open) -> None:
    page = open_desk()
    page.at(1)
    page.press("1")
    page.at(2)
    page.press("2")
    page.at(4)
    page = open_desk()  # another command
    page.at(4)
    assert page.find("#counts").text.startswith("2 of 4 labelled")
    page.press(LEFT)  # not the third, which cannot be shown
    page.at(2)
    assert page.find("#state").text == "Labelled: dog"
    assert page.find("#classes [aria-pressed=true]").get_attribute("data-class") == "dog"
    page.press(BACK)
    page.at(2)
    page.wait(lambda: page.find("#state").text.startswith("Suggested: dog"))
    page.driver.execute_script(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'z', ctrlKey: true, bubbles: true}))"
    )
    page.at(1)
    assert page.server.rows == []
    assert page.find("#undo").is_enabled() is False
    page.press(RIGHT)
    page.at(2)
    page.click("[data-class=cat]")
    page.at(4)
    page.press(SPACE)  # of the picture: the class that was clicked has no focus any more
    page.at(1)
    assert page.server.rows == ["../pictures/1.png,cat"]


def test_both_languages_and_colours(open_desk: Open) -> None:
    page = open_desk()
    page.at(1)
    page.click("#language")
    page.click("#theme")
    for _ in range(2):
        assert page.find("html").get_attribute("lang") == "zh-CN"
        assert page.find("html").get_attribute("data-theme") == "dark"
        assert page.find("h1").text == page.driver.title == WORDS["desk_name"]["zh"]
        page.wait(lambda: page.find("#position").text == WORDS["desk_position"]["zh"].format(number=1, total=4))
        assert page.find("#counts").text.startswith("已标注 0 / 4")
        suggested = WORDS["desk_suggested_sure"]["zh"].format(names="dog", share="87.5%")
        page.wait(lambda suggested=suggested: page.find("#state").text.startswith(suggested))
        page.driver.refresh()
    page.click("#language")
    assert page.find("h1").text == "Label pictures"


def test_more_classes_than_keys_are_found_by_typing(open_desk: Open) -> None:
    page = open_desk(classes=tuple(f"class {number}" for number in range(1, 13)))
    page.at(1)
    assert page.texts("#classes kbd") == [str(number) for number in range(1, 10)]
    page.press("c")
    assert page.focused() == "filter"
    for letter in "lass 1":
        page.press(letter)
    assert page.texts("#classes .label") == ["class 1", "class 10", "class 11", "class 12"]
    page.press(DOWN)
    page.press(ENTER)
    page.at(2)
    assert page.server.rows == ["../pictures/0.png,class 10"]
    assert page.find("#filter").get_attribute("value") == ""
    page.press("/")
    page.press("x")
    assert page.texts("#classes .label") == []
    assert page.find("#others").text == "No class is called so."
    page.press(ENTER)  # names nothing
    page.press(ESCAPE)
    page.press("9")
    page.at(4)
    assert page.server.rows[1:] == ["../pictures/1.png,class 9"]


def test_a_new_class(open_desk: Open) -> None:
    page = open_desk(new_classes=True)
    page.at(1)
    for key in ("o", "w", "l"):
        page.press(key)
    assert page.texts("#classes .label") == ["New class “owl”"]
    page.press(ENTER)
    page.at(2)
    assert page.texts("#classes .label") == ["cat", "dog", "owl"]
    page.press("3")
    page.at(4)
    assert page.server.rows == ["../pictures/0.png,owl", "../pictures/1.png,owl"]


def test_several_classes_are_switched_and_saved(open_desk: Open) -> None:
    page = open_desk(several=True)
    page.at(1)
    assert page.find("#choices-title").text == "Classes: none, one or more"
    for key in ("2", "1", "2"):
        page.press(key)
    assert page.server.rows == []
    assert page.find("#state").text == "Chosen, not saved yet: cat"
    page.press("2")
    assert page.find("#state").text == "Chosen, not saved yet: cat, dog"
    page.press(ENTER)
    page.at(2)
    page.press(ENTER)  # none of them
    page.at(4)
    assert page.server.rows == ["../pictures/0.png,cat|dog", "../pictures/1.png,"]
    page.press(LEFT)
    page.at(2)
    assert page.find("#state").text == "Labelled: none of the classes"
    page.press(LEFT)
    page.at(1)
    page.press("1")
    page.click("#save")
    page.at(4)
    assert page.server.rows == ["../pictures/1.png,", "../pictures/0.png,dog"]


def test_what_is_not_kept_is_told_and_the_picture_stays(open_desk: Open) -> None:
    page = open_desk()
    page.at(1)
    page.server.labels.write_text("path,label\nmine.png,cat\n")
    page.press("1")
    page.wait(lambda: "It was not kept." in page.find("#trouble").text)
    assert "was changed by somebody else" in page.find("#trouble").text
    page.at(1)
    page.connect(offline=True)
    page.press("1")
    page.wait(lambda: "The desk does not answer" in page.find("#trouble").text)
    page.connect()
    page.server.labels.unlink()
    page.press("1")
    page.at(2)
    assert page.find("#trouble").is_displayed() is False


def test_on_a_phone_nothing_is_wider_than_the_window(open_desk: Open) -> None:
    page = open_desk(classes=("a" * 80, "dog"))
    page.at(1)
    for width in (360, 800):
        with page.sized(width):
            assert page.driver.execute_script("return document.documentElement.scrollWidth") <= width
