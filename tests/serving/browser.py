"""Chromium without a window, and what a person does in it. In: a running server. Out: Page. Next: test_browser.py."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tellapart.reporting.phrases import table

from .conftest import PATIENCE, Running

WORDS = {key: phrase for key, phrase in table().items() if key.startswith("page_")}
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream "
    "--window-size=1200,900"
)
MARKS = [
    pytest.mark.slow,
    # Selenium leaves the closing of its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def missing(path: str | None = None) -> str:
    """What of the browser is not on the `path` (None: the environment's), in words; empty where all is there."""
    if any(shutil.which(name, path=path) is None for name in ("chromium", "chromedriver")):
        return "Debian's packages chromium and chromium-driver are not installed: .ci/run installs them, as root"
    if importlib.util.find_spec("selenium") is None:
        return "selenium is not installed: the dev extra has it"
    return ""


@contextlib.contextmanager
def browser(folder: Path) -> Iterator[Any]:
    """A browser that keeps its files in a folder."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for flag in (*FLAGS.split(), f"--user-data-dir={folder}", "--lang=en-GB"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(shutil.which("chromedriver"))))
    driver.set_script_timeout(PATIENCE)
    yield driver
    driver.quit()


class Page:
    """What a person does and sees."""

    def __init__(self, driver: Any, server: Running) -> None:
        self.driver, self.address = driver, f"http://localhost:{server.http_port}/"
        driver.get(self.address)
        driver.delete_all_cookies()
        driver.execute_script("sessionStorage.clear()")
        driver.get(self.address)
        driver.get_log("browser")

    def find(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        # In one step: element by element, one may be drawn anew in between.
        script = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText.trim())"
        texts: list[str] = self.driver.execute_script(script, selector)
        return texts

    def wait(self, ready: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.driver, PATIENCE, 0.05, [WebDriverException, IndexError]).until(lambda _: ready())

    def give(self, *files: Path) -> None:
        self.find("#files").send_keys("\n".join(map(str, files)))

    def answers(self, count: int) -> list[str]:
        self.wait(lambda: len(self.driver.find_elements("css selector", "article[aria-busy=false]")) == count)
        return self.texts("article h3")

    def click(self, selector: str) -> None:
        self.find(selector).click()

    def choose(self, selector: str, value: str) -> None:
        from selenium.webdriver.support.ui import Select

        Select(self.find(selector)).select_by_value(value)

    def complaints(self) -> list[str]:
        """What the browser's console holds against the page: policies, exceptions; not the statuses of requests."""
        return [line["message"] for line in self.driver.get_log("browser") if line["source"] != "network"]

    def focused(self) -> str | None:
        """The `data-key` or else the id of what has the focus."""
        active = self.driver.switch_to.active_element
        return active.get_attribute("data-key") or active.get_attribute("id")

    def connect(self, *, offline: bool = False, latency: int = 0) -> None:
        """The connection from now on; `latency` in milliseconds."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {"offline": offline, "latency": latency, "downloadThroughput": -1, "uploadThroughput": -1},
        )

    @contextlib.contextmanager
    def sized(self, width: int, height: int = 800) -> Iterator[None]:
        """In a window of another size; narrow ones are phones."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700},
        )
        try:
            yield
        finally:
            self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
