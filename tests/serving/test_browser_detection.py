"""The page of a model that finds boxes. In: Debian's chromium, a real server. Out: what a person would see, and can do."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import DIGEST_KEY, MANIFEST_KEY, seal
from tellapart.serving.corrections import Corrections
from tellapart.serving.hosts import hosts_for
from tellapart.workflows.serving.heatmaps import make_explainer

from .browser import MARKS, WORDS, Page
from .conftest import PLACES, Running, Start, png
from .test_plain import send

pytestmark = MARKS

SHOTS = os.environ.get("TELLAPART_SCREENSHOTS")  # a folder, for people who want to look
WIDTH, HEIGHT = 320, 280  # of a picture with all three, two of them told


@pytest.fixture
def models_of_both(tmp_path: Path, boxes_bytes: bytes, deciding_bytes: bytes) -> Path:
    for name, data in (("one", deciding_bytes), ("finds", boxes_bytes)):
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
    shown.choose("#model", "finds")
    yield shown
    assert shown.complaints() == []


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "three.png"
    path.write_bytes(png((180, 210, 220), (WIDTH, HEIGHT)))
    return path


def photograph(page: Page, name: str) -> None:
    if SHOTS:
        page.driver.save_screenshot(os.path.join(SHOTS, f"{name}.png"))


def drawn(page: Page) -> list[tuple[str, list[float]]]:
    """What is drawn: each box's name for a screen reader, and its sides as shares of the picture on the screen."""
    script = """
        const whole = document.querySelector('article .frame > :first-child').getBoundingClientRect();
        return [...document.querySelectorAll('article .layer g')].map((group) => {
            const {left, top, right, bottom} = group.querySelector('.line').getBoundingClientRect();
            return [group.getAttribute('aria-label'), [
                (left - whole.left) / whole.width, (top - whole.top) / whole.height,
                (right - whole.left) / whole.width, (bottom - whole.top) / whole.height], whole.width];
        });
    """
    found = page.driver.execute_script(script)
    return sorted((name, sides) for name, sides, _ in found)


def counts(page: Page) -> dict[str, str]:
    return dict(zip(page.texts("article .legend .label"), page.texts("article .legend .count"), strict=True))


def limits(page: Page) -> list[str]:
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.texts("article .legend .from")]


def slide(page: Page, key: str, times: int) -> None:
    """By the keyboard, as a person without a mouse does."""
    slider = page.find("[data-key=threshold]")
    for _ in range(times):
        slider.send_keys(key)


def test_boxes_are_drawn_where_the_answer_has_them(page: Page, server: Running, three: Path) -> None:
    page.give(three)
    assert page.answers(1) == ["blue × 1, green × 1"]
    (row,) = send(server, "/predict?model=finds", [("a", three.read_bytes())]).json["predictions"]
    found = drawn(page)
    assert len(found) == len(row["boxes"]) == 2
    width = page.find("article .frame").size["width"]
    for (name, sides), box in zip(found, row["boxes"], strict=True):
        assert name.startswith(f"{box['label']}, ")
        assert "in pixels" in name
        wanted = [box["left"] / WIDTH, box["top"] / HEIGHT, box["right"] / WIDTH, box["bottom"] / HEIGHT]
        assert sides == pytest.approx(wanted, abs=2 / width), "within two pixels of the screen"
    assert [text.split(" ")[0] for text in page.texts("article .tags span")] == ["green", "blue"]
    assert counts(page) == {"blue": "1", "green": "1", "红色": "0"}
    assert page.texts("#history-list strong") == ["blue × 1, green × 1"]
    assert page.find("#spoken").text == "three.png: blue × 1, green × 1"
    assert "Detector\ndefault\nNetwork\ntiny\n" in page.find("#about").text
    photograph(page, "boxes")


@pytest.mark.parametrize("boxes", [20, 21])
def test_names_of_many_boxes_are_put_away_until_they_are_asked_for(
    chromium: Any, start: Start, boxes_bytes: bytes, tmp_path: Path, three: Path, boxes: int
) -> None:
    """Of 21 the names would cover the picture; the one that is picked has its own all the same."""
    path = tmp_path / "many.onnx"
    path.write_bytes(finds_many(boxes_bytes, boxes))
    page = Page(chromium, start(f"many={path}", words=WORDS, hosts=hosts_for("127.0.0.1", ())))
    page.give(three)
    assert page.answers(1) == [f"blue × {boxes}"]
    assert len(drawn(page)) == boxes
    assert page.find("[data-key=names]").is_selected() == (boxes == 20)
    assert len(page.texts("article .tags span")) == (20 if boxes == 20 else 0)
    page.find("[data-key=names]").click()
    page.wait(lambda: len(page.texts("article .tags span")) == (0 if boxes == 20 else 21))
    assert page.complaints() == []


def test_the_slider_begins_at_each_classs_own_threshold_and_moves_them_all(page: Page, three: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    page.give(three)
    page.answers(1)
    assert limits(page) == ["from 50.0 %", "from 25.0 %", "from 75.0 %"]
    slider = page.find("[data-key=threshold]")
    assert slider.accessible_name == "How sure the model must be"
    assert slider.get_attribute("aria-valuetext").startswith("As the model decides")
    slide(page, Keys.ARROW_LEFT, 20)  # a fifth of the way to nothing
    assert limits(page) == ["from 40.0 %", "from 20.0 %", "from 60.0 %"]
    assert slider.get_attribute("aria-valuetext").startswith("Looser than the model decides, for all classes")
    assert len(drawn(page)) == 3
    assert counts(page) == {"blue": "1", "green": "1", "红色": "1"}
    assert page.texts("article h3") == ["blue × 1, green × 1, 红色 × 1"]
    slide(page, Keys.END, 1)
    assert drawn(page) == []
    assert page.texts("article h3") == ["Nothing found"]
    assert slider.get_attribute("aria-valuetext").startswith("Stricter than the model decides, for all classes")
    page.click("[data-key=own]")
    assert len(drawn(page)) == 2
    assert limits(page) == ["from 50.0 %", "from 25.0 %", "from 75.0 %"]


def test_the_legend_hides_a_class_and_shows_it_again(page: Page, three: Path) -> None:
    page.give(three)
    page.answers(1)
    button = page.find("[data-key=legend-1]")
    assert button.get_attribute("aria-pressed") == "true"
    assert button.accessible_name.startswith("green 1 from 25.0")
    button.send_keys(" ")
    assert [name.split(",")[0] for name, _ in drawn(page)] == ["blue"]
    assert button.get_attribute("aria-pressed") == "false"
    assert page.focused() == "legend-1", "the keyboard's place is kept"
    assert counts(page)["green"] == "1", "it is not shown, and there all the same"
    assert page.texts("article h3") == ["blue × 1, green × 1"]
    page.click("#language")
    assert [name[:4] for name, _ in drawn(page)] == ["blue"], "the other language changes words alone"
    page.click("[data-key=legend-1]")
    assert len(drawn(page)) == 2


def test_arrow_keys_go_from_box_to_box(page: Page, three: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    page.give(three)
    page.answers(1)
    page.find("[data-key=names]").click()
    assert page.texts("article .tags span") == []
    page.click("[data-key=own]")
    assert not page.find("[data-key=names]").is_selected(), "what somebody chose stays"
    assert page.find("article .layer svg").get_attribute("aria-label").startswith("Boxes on the picture: 2.")
    page.driver.execute_script("document.querySelector('article .layer [tabindex=\"0\"]').focus()")
    for key, wanted in ((None, "blue"), (Keys.ARROW_RIGHT, "green"), (Keys.ARROW_DOWN, "blue"), (Keys.END, "green")):
        active = page.driver.switch_to.active_element
        if key is not None:
            active.send_keys(key)
            active = page.driver.switch_to.active_element
        assert active.get_attribute("aria-label").startswith(f"{wanted}, ")
        assert [text.split(" ")[0] for text in page.texts("article .tags span")] == [wanted], "its name is shown"
    assert page.driver.execute_script("return document.querySelectorAll('article .layer [tabindex=\"0\"]').length") == 1


def test_the_boxes_are_a_table_too(page: Page, three: Path) -> None:
    page.give(three)
    page.answers(1)
    page.click("[data-key=table]")
    page.wait(lambda: len(page.texts("article tbody tr")) == 2)
    cells = [re.split(r"\s+", text) for text in page.texts("article tbody tr")]
    assert [row[0] for row in cells] == ["blue", "green"]
    # By hand: a square of 320 pixels shows the picture 20 pixels below its top.
    left, top, right, bottom = (share * WIDTH for share in PLACES["blue"])
    assert [int(one) for one in cells[0][-4:]] == [left, top - 20, right - left, bottom - top]


def test_a_picture_that_the_browser_cannot_show_still_has_its_boxes(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (WIDTH, HEIGHT), (180, 210, 220)).save(tmp_path / "three.tif")
    page.give(tmp_path / "three.tif")
    assert page.answers(1) == ["blue × 1, green × 1"]
    assert page.texts("article .frame > .gone") == [WORDS["page_no_preview"]["en"]]
    (name, sides), _ = drawn(page)
    assert name.startswith("blue, ")
    wanted = [PLACES["blue"][0], (PLACES["blue"][1] * WIDTH - 20) / HEIGHT]
    assert sides[:2] == pytest.approx(wanted, abs=0.01)


def test_heat_is_of_the_box_that_was_chosen(page: Page, three: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    def button() -> str:
        return str(page.find("[data-key=heat]").text.replace("\N{NO-BREAK SPACE}", " "))

    def caption() -> list[str]:
        return [text.replace("\N{NO-BREAK SPACE}", " ") for text in page.texts("figcaption")]

    page.give(three)
    page.answers(1)
    assert button() == "What it looked at: blue 75.5 %", "the most certain one first"
    page.click("[data-key=heat]")
    page.wait(lambda: caption())
    assert caption()[0].startswith("Bright colour: spoke most for “blue 75.5 %”.")
    first = page.find("article figure img").get_attribute("src")
    photograph(page, "boxes-heat")
    page.click("[data-key=heat]")
    page.driver.execute_script("document.querySelector('article .layer [tabindex=\"0\"]').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    page.wait(lambda: button() == "What it looked at: green 72.1 %")
    assert page.driver.execute_script("return document.querySelectorAll('article .layer .chosen').length") == 1
    page.find("[data-key=heat]").send_keys(" ")
    page.wait(lambda: caption() and "green 72.1 %" in caption()[0])
    assert page.focused() == "heat", "the keyboard stays where it was"
    assert page.find("article figure img").get_attribute("src") != first
    page.click("[data-key=heat]")
    page.click("[data-key=legend-1]")
    assert button() == "What it looked at: blue 75.5 %", "what is hidden is not explained"
    slide(page, Keys.END, 1)
    assert not page.find("[data-key=heat]").is_displayed(), "nothing is there to explain"
    page.click("[data-key=legend-1]")
    slide(page, Keys.HOME, 1)
    page.find("[data-key=legend-0]").click()
    page.find("[data-key=legend-1]").click()
    assert button() == "What it looked at: 红色 61.8 %", "also what the model itself does not tell"
    page.click("[data-key=heat]")
    page.wait(lambda: caption() and "红色" in caption()[0])


def test_boxes_are_corrected_by_dragging_and_in_numbers(page: Page, three: Path, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import Select

    page.give(three)
    page.answers(1)
    page.click("[data-key=wrong]")
    assert len(page.driver.find_elements("css selector", ".correct .rows .line")) == 2, "it starts from what is shown"
    page.find(".correct .line button").click()  # the first one, blue
    assert [name.split(":")[0] for name, _ in drawn(page)] == ["green"]
    Select(page.find("[data-key=class]")).select_by_value("红色")
    frame = page.find("article .frame")
    page.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", frame)
    wide, high = frame.size["width"], frame.size["height"]
    chain = ActionChains(page.driver, duration=20).move_to_element_with_offset(frame, -wide // 4, -high // 4)
    chain.click_and_hold().move_by_offset(wide // 2, high // 2).release().perform()
    page.wait(lambda: len(drawn(page)) == 2)
    photograph(page, "boxes-correction")
    bottom = page.driver.find_elements("css selector", ".correct .rows .line:first-child input")[3]
    bottom.clear()
    bottom.send_keys("100\t")
    page.click("[data-key=save]")
    page.wait(lambda: "Saved as “green × 1, 红色 × 1”" in page.find("article").text)
    with open(tmp_path / "kept" / "finds" / "labels.csv", encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    first, second = json.loads(row["boxes"])
    assert first[0] == "green"
    assert first[4] == 100
    assert second[0] == "红色"
    assert second[1:] == pytest.approx([WIDTH / 4, HEIGHT / 4, 3 * WIDTH / 4, 3 * HEIGHT / 4], abs=2)
    assert len(drawn(page)) == 2
    assert [name.split(",")[0] for name, _ in drawn(page)] == ["blue", "green"], "the model's answer is shown again"


def test_a_model_that_was_exchanged_for_one_of_another_task(
    page: Page, server: Running, models_of_both: Path, deciding_bytes: bytes, boxes_bytes: bytes, three: Path
) -> None:
    from selenium.webdriver.common.keys import Keys

    for name, data in (("finds", deciding_bytes), ("one", boxes_bytes)):
        (models_of_both / name / "model.onnx").write_bytes(data)
    server.repository.refresh()
    page.give(three)
    (said,) = page.answers(1)
    assert "sure" in said
    page.choose("#model", "one")
    page.give(three)
    page.answers(2)
    assert page.texts("article h3")[0] == "blue × 1, green × 1"
    assert len(drawn(page)) == 2
    slide(page, Keys.HOME, 1)
    assert len(drawn(page)) == 3, "what falls short is asked for, once it is known that there is such"


def test_the_camera_live_sends_one_picture_after_the_other(page: Page, server: Running) -> None:
    from selenium.webdriver.common.keys import Keys

    page.driver.execute_script("""
        const ask = window.fetch;
        window.asked = {now: 0, most: 0, all: 0};
        window.fetch = async (...given) => {
            if (!String(given[0]).startsWith('predict')) return ask(...given);
            window.asked.most = Math.max(window.asked.most, ++window.asked.now);
            window.asked.all += 1;
            try { return await ask(...given); } finally { window.asked.now -= 1; }
        };
    """)

    def asked() -> dict[str, int]:
        found: dict[str, int] = page.driver.execute_script("return window.asked")
        return found

    page.click("#camera")
    live = page.find("#camera-live")
    page.wait(live.is_enabled)
    assert live.get_attribute("aria-pressed") == "false"
    live.click()
    assert live.get_attribute("aria-pressed") == "true"
    page.wait(lambda: asked()["all"] > 5)
    page.wait(lambda: "Pictures a second: " in page.find("#camera-says").text)
    # The camera of the test sees green, and the model finds green things.
    page.wait(lambda: page.texts("#camera-says h3") == ["green × 1"])
    assert page.driver.execute_script("return document.querySelectorAll('#camera-stage .layer .line').length") == 1
    photograph(page, "boxes-live")
    page.find("#camera-says [data-key=threshold]").send_keys(Keys.END)
    before = asked()["all"]
    page.wait(lambda: asked()["all"] > before + 2)
    assert page.texts("#camera-says h3") == ["Nothing found"], "what was moved stays moved for the next picture"
    live.click()
    page.wait(lambda: asked()["now"] == 0)
    done = asked()
    assert done["most"] == 1, "the next one is sent when the last answer is there"
    assert page.texts("#camera-says *") == []
    assert page.driver.find_elements("css selector", "#camera-stage .layer") == []
    live.click()
    page.wait(lambda: asked()["all"] > done["all"] + 1)
    page.click("#camera-close")
    page.wait(lambda: asked()["now"] == 0)
    ended = asked()["all"]
    page.click("#model")
    assert asked()["all"] == ended, "who closes the camera asks no more"
    assert 'outcome="unreadable"' not in server.get("/metrics").body.decode()


def test_the_camera_live_with_a_classifier_says_its_class(page: Page) -> None:
    page.choose("#model", "one")
    page.click("#camera")
    page.wait(page.find("#camera-live").is_enabled)
    page.click("#camera-live")
    page.wait(lambda: page.texts("#camera-says h3"))
    page.wait(lambda: "Pictures a second: " in page.find("#camera-says").text)
    page.click("#camera-close")


def test_on_a_phone_nothing_is_wider_than_the_screen(page: Page, three: Path) -> None:
    with page.sized(360):
        page.give(three)
        page.answers(1)
        page.click("[data-key=wrong]")
        wide = page.driver.execute_script("return document.documentElement.scrollWidth")
        photograph(page, "boxes-phone")
        assert wide <= 360


def finds_many(detector: bytes, count: int) -> bytes:
    """A model that finds as many blue things in every picture, side by side, all told."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_from_string(detector)
    (told,) = (one.value for one in model.metadata_props if one.key == MANIFEST_KEY)
    lefts = np.linspace(0.05, 0.9, count, dtype=np.float32)
    values = {
        "one_boxes": np.stack([lefts, 0 * lefts + 0.4, lefts + 0.03, 0 * lefts + 0.6], axis=1)[None],
        "one_scores": np.full((1, count), 0.9, dtype=np.float32),
        "one_labels": np.zeros((1, count), dtype=np.int64),
        "first": np.array([0], dtype=np.int64),
        "end": np.array([1], dtype=np.int64),
        "ones": np.array([1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Shape", ["image"], ["whole"]),
        helper.make_node("Slice", ["whole", "first", "end"], ["n"]),
        helper.make_node("Concat", ["n", "ones", "ones"], ["shape_boxes"], axis=0),
        helper.make_node("Concat", ["n", "ones"], ["shape_rows"], axis=0),
        helper.make_node("Expand", ["one_boxes", "shape_boxes"], ["boxes"]),
        helper.make_node("Expand", ["one_scores", "shape_rows"], ["scores"]),
        helper.make_node("Expand", ["one_labels", "shape_rows"], ["labels"]),
    ]
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", count, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", count]),
        helper.make_tensor_value_info("labels", TensorProto.INT64, ["N", count]),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "many", list(model.graph.input), outputs, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(made, {MANIFEST_KEY: told, DIGEST_KEY: "0" * 64})
    return seal(made.SerializeToString())
