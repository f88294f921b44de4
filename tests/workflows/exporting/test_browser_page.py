"""The page without a server, in Chromium, given out or double-clicked. In: tiny models. Out: what a person would see."""

from __future__ import annotations

import functools
import http.server
import io
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.bundle import AbstentionRecord, ClassificationRecord, Manifest, PreprocessingRecord, Score, open_model
from tellapart.export.assemble import assemble
from tellapart.reporting.phrases import table
from tellapart.workflows.exporting.browser import write_browser, write_page
from tests.answers.made_masker import masker_bytes
from tests.workflows.exporting.made_texts import write_bundle as write_texts

PATIENCE = 300  # seconds; only what hangs takes as long
SHOTS = os.environ.get("TELLAPART_SCREENSHOTS")  # a folder, for people who want to look
pytestmark = [
    pytest.mark.slow,
    # Selenium leaves the closing of its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def tools(repository: Path) -> Path:
    """npm's packages, as .ci/run fetches them."""
    folder = repository / ".npm"
    if not (folder / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("npm's packages are not here: .ci/run fetches them")
    return folder


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Larger than twice the networks' inputs, reddish, with fine lines."""
    random = np.random.default_rng(5)
    pixels = random.integers(60, 130, (90, 140, 3), dtype=np.uint8)
    pixels[:, ::3, 0] += 90
    path = tmp_path_factory.mktemp("picture") / "red lines.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def colours(
    tiny_network: Path, tiny_manifest: Manifest, tools: Path, picture: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The page of a model that tells colours apart, and to which pictures that are not grey are unknown."""
    folder = tmp_path_factory.mktemp("colours")
    record = AbstentionRecord(
        coverage=0.9,
        threshold=0.2,
        novelty_threshold=0.0,
        calibrated_on=40,
        measured_coverage=Score(value=0.9),
        mean_set_size=1.2,
        known=Score(value=0.95),
    )
    usual = PreprocessingRecord(size=16, crop=0.875, interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3)
    told = ClassificationRecord(temperature=4.0, abstention=record)
    manifest = tiny_manifest.model_copy(update={"pictures": usual, "record": told})
    novelty = {
        "least_length": np.array([1e-6], dtype=np.float32),
        "centre": np.full(3, 3**-0.5, dtype=np.float32),
        "directions": np.eye(3, dtype=np.float32),
        "scales": np.full(3, 2.0, dtype=np.float32),
        "means": np.zeros((1, 3), dtype=np.float32),
        "residual_scale": np.array([1.0], dtype=np.float32),
    }
    weight = np.array([[0, 0, 10], [0, 10, 0], [10, 0, 0]], dtype=np.float32)
    data = assemble(tiny_network, weight=weight, bias=np.zeros(3, dtype=np.float32), manifest=manifest, novelty=novelty)
    (folder / "model.onnx").write_bytes(data)
    write_browser(folder / "model.onnx", [picture], folder / "page", tools=tools)
    return folder / "page"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A plain web server that says nothing."""

    def log_message(self, *args: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def give_out() -> Iterator[Callable[[Path], str]]:
    """Give out a folder; the address."""
    servers = []

    def start(folder: Path) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://localhost:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory, lacks: Callable[[str], NoReturn]) -> Iterator[Any]:
    from tests.serving.browser import browser, missing

    if what := missing():
        lacks(what)
    with browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


def wait(driver: Any, ready: Callable[[], Any]) -> Any:
    from selenium.common.exceptions import WebDriverException
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, PATIENCE, 0.05, [WebDriverException, IndexError]).until(lambda _: ready())


def texts(driver: Any, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText.trim())"
    found: list[str] = driver.execute_script(script, selector)
    return found


def ask(driver: Any, address: str, *pictures: Path) -> None:
    driver.get(address)
    driver.find_element("css selector", "#files").send_keys("\n".join(map(str, pictures)))
    wait(driver, lambda: len(driver.find_elements("css selector", "article[aria-busy=false]")) == len(pictures))
    if SHOTS:
        driver.save_screenshot(f"{SHOTS}/{pictures[0].stem}.png")


@pytest.mark.parametrize("way", ["web server", "double click"])
def test_it_says_what_predict_says(
    colours: Path, picture: Path, chromium: Any, give_out: Callable[[Path], str], way: str
) -> None:
    ask(chromium, give_out(colours) if way == "web server" else colours.as_uri() + "/index.html", picture)
    found = tellapart.load(colours / "model.onnx").predict(picture)
    order = np.argsort(-found.probabilities[0])
    bars = [text.split("\n") for text in texts(chromium, "article .bars li")]
    assert [bar[0] for bar in bars] == [found.classes[one] for one in order]
    assert [bar[1].replace("\xa0", " ") for bar in bars] == [
        f"{100 * found.probabilities[0][one]:.1f} %" for one in order
    ]
    assert bool(found.unknown[0])
    assert table()["page_unknown"]["en"] in texts(chromium, "article .notice strong")
    assert texts(chromium, "#privacy") == [table()["local_privacy"]["en"]]
    assert [line["message"] for line in chromium.get_log("browser") if "favicon" not in line["message"]] == []
    chromium.find_element("css selector", "#language").click()
    assert texts(chromium, "#privacy") == [table()["local_privacy"]["zh"]]
    chromium.find_element("css selector", "#language").click()


def test_every_step_is_right_in_this_browser_and_nothing_is_asked_of_anybody_else(
    colours: Path, chromium: Any, give_out: Callable[[Path], str]
) -> None:
    address = give_out(colours)
    chromium.get(f"{address}check.html")
    wait(chromium, lambda: chromium.find_elements("css selector", ".right, .wrong"))
    assert texts(chromium, "#says p") == ["All steps that were tested give what they should, for 3 pictures."]
    cells = texts(chromium, "#steps td")
    assert cells[:3] == ["01", "same", "same"]
    # A JPEG that stands in for large ones, which Pillow decodes at a half.
    assert cells[7].endswith("on average (not decoded smaller, but averaged)")
    assert all(re.fullmatch(r"outputs differ by \d+e[-+]\d+", cell) for cell in (cells[3], cells[5]))
    asked = chromium.execute_script("return performance.getEntriesByType('resource').map(one => one.name)")
    assert asked
    assert all(one.startswith((address, "blob:", "data:")) for one in asked)


def test_what_is_no_picture_is_said_so(
    colours: Path, tmp_path: Path, chromium: Any, give_out: Callable[[Path], str]
) -> None:
    (tmp_path / "text.png").write_bytes(b"no picture")
    ask(chromium, give_out(colours), tmp_path / "text.png")
    assert texts(chromium, "article h3") == [table()["page_bad_file"]["en"]]


def test_a_model_that_is_gone_is_said_so(
    colours: Path, picture: Path, chromium: Any, give_out: Callable[[Path], str]
) -> None:
    (colours / "model.onnx").rename(colours / "away")
    try:
        ask(chromium, give_out(colours), picture)
        assert texts(chromium, "article h3") == [table()["local_failed"]["en"]]
    finally:
        (colours / "away").rename(colours / "model.onnx")


def test_tiles_are_put_together_into_one_mask(
    tools: Path, tmp_path: Path, chromium: Any, give_out: Callable[[Path], str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(masker_bytes())
    pixels = np.zeros((150, 230, 3), dtype=np.uint8)
    pixels[40:110, 60:180] = (0, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    (tmp_path / "blue.png").write_bytes(file.getvalue())
    write_browser(tmp_path / "model.onnx", [], tmp_path / "page", tools=tools)
    ask(chromium, give_out(tmp_path / "page"), tmp_path / "blue.png")
    (areas,) = tellapart.load(tmp_path / "model.onnx").predict(tmp_path / "blue.png").areas
    cells = texts(chromium, "article table tbody td:nth-child(2)")
    chromium.find_element("css selector", "article summary").click()
    cells = texts(chromium, "article table tbody td:nth-child(2)")
    assert [int(one.replace(",", "")) for one in cells] == areas.tolist()


@pytest.fixture(scope="module")
def texts_page(tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a model of texts with every part."""
    folder = tmp_path_factory.mktemp("texts")
    proof = write_texts(folder, ("grams", "pieces", "words"))
    (folder / "page").mkdir()
    for path in proof.parent.glob("model.onnx"):
        (folder / "page" / "model.onnx").write_bytes(path.read_bytes())
    proof.rename(folder / "page" / "proof")
    write_page(folder / "page", open_model(folder / "model.onnx"), tools / "node_modules" / "onnxruntime-web" / "dist")
    return folder / "page"


@pytest.mark.parametrize("way", ["web server", "double click"])
def test_a_text_is_answered_and_coloured(
    texts_page: Path, chromium: Any, give_out: Callable[[Path], str], way: str
) -> None:
    address = give_out(texts_page) if way == "web server" else texts_page.as_uri() + "/index.html"
    chromium.get_log("browser")  # what earlier pages said
    chromium.get(address)
    text = "A fine <b>FILM</b>, so d\u00fcll"
    chromium.find_element("css selector", "#text").send_keys(text)
    chromium.find_element("css selector", "#ask").click()
    wait(
        chromium,
        lambda: chromium.find_elements("css selector", "article .written span.for, article .written span.against"),
    )
    found = tellapart.load(texts_page / "model.onnx").predict([text])
    bars = [one.split("\n") for one in texts(chromium, "article .bars li")]
    order = np.argsort(-found.probabilities[0])
    assert [bar[0] for bar in bars] == [found.classes[one] for one in order]
    assert [bar[1].replace("\xa0", " ") for bar in bars] == [
        f"{100 * found.probabilities[0][one]:.1f} %" for one in order
    ]
    assert texts(chromium, "article .written span") == ["a", "fine", "<b>film</b>,", "so", "d\u00fcll"]
    assert texts(chromium, "#privacy-texts") == [table()["local_privacy_texts"]["en"]]
    assert [line["message"] for line in chromium.get_log("browser") if "favicon" not in line["message"]] == []


def test_every_step_of_texts_is_right_in_this_browser(
    texts_page: Path, chromium: Any, give_out: Callable[[Path], str]
) -> None:
    chromium.get(f"{give_out(texts_page)}check.html")
    wait(chromium, lambda: chromium.find_elements("css selector", ".right, .wrong"))
    assert texts(chromium, "#says p") == ["All steps give what they should, for 11 texts."]
