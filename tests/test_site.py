"""The site speaks each page's language. In: mkdocs.yml, docs/theme. Out: the interface's language, the other language's page."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import DictLoader, Environment

NAV = re.compile(r": ((?:docs|recipes|benchmarks)/\S+\.md|[A-Z][\w.-]*\.md)$", re.MULTILINE)


def file(source: str) -> Any:
    return SimpleNamespace(src_uri=source, url=source.replace(".md", ".html"))


@pytest.fixture(scope="module")
def pages(repository: Path) -> list[Any]:
    return [file(name) for name in NAV.findall((repository / "mkdocs.yml").read_text(encoding="utf-8"))]


def rendered(repository: Path, part: str, here: str, pages: list[Any]) -> str:
    """One of our parts, with languages that say their names in place of Material's."""
    theme = repository / "docs" / "theme" / "partials"
    parts = {
        f"partials/{name}": (theme / name).read_text(encoding="utf-8") for name in ("language.html", "alternate.html")
    }
    for code in ("en", "zh"):
        parts[f"partials/languages/{code}.html"] = f"{{% macro t(key) %}}{code}{{% endmacro %}}"
    parts[".icons/material/translate.svg"] = ""
    parts["language"] = "{% import 'partials/language.html' as lang with context %}{{ lang.t('language') }}"
    parts["switch"] = (
        "{% import 'partials/language.html' as lang with context %}{% include 'partials/alternate.html' %}"
    )
    environment = Environment(loader=DictLoader(parts), autoescape=True)
    environment.filters["url"] = lambda address: address
    alternate = [{"name": "English", "link": "index", "lang": "en"}, {"name": "中文", "link": "first", "lang": "zh"}]
    config = SimpleNamespace(theme=SimpleNamespace(language="en"), extra=SimpleNamespace(alternate=alternate))
    return environment.get_template(part).render(page=SimpleNamespace(file=file(here)), config=config, pages=pages)


@pytest.mark.parametrize(
    ("here", "language", "english", "chinese"),
    [
        ("README.md", "en", "README.html", "README.zh-CN.html"),
        ("README.zh-CN.md", "zh", "README.html", "README.zh-CN.html"),
        ("docs/detection.md", "en", "docs/detection.html", "docs/zh/detection.html"),
        ("docs/zh/detection.md", "zh", "docs/detection.html", "docs/zh/detection.html"),
        ("docs/walks/own-files.md", "en", "docs/walks/own-files.html", "docs/zh/own-files.html"),
        ("docs/zh/own-files.md", "zh", "docs/walks/own-files.html", "docs/zh/own-files.html"),
        ("docs/tour.md", "en", "docs/tour.html", "first"),
    ],
)
def test_a_page_speaks_its_language_and_leads_to_itself_in_the_other(
    repository: Path, pages: list[Any], here: str, language: str, english: str, chinese: str
) -> None:
    assert rendered(repository, "language", here, pages).strip() == language
    links = re.findall(r'href="([^"]*)" hreflang="(..)"', rendered(repository, "switch", here, pages))
    assert links == [(english, "en"), (chinese, "zh")]


def test_every_document_for_readers_is_in_the_order_of_pages(repository: Path, pages: list[Any]) -> None:
    there = {path.relative_to(repository).as_posix() for path in (repository / "docs").rglob("*.md")}
    assert there <= {page.src_uri for page in pages}


def test_every_chinese_page_has_its_page_in_english(pages: list[Any]) -> None:
    english = {page.src_uri for page in pages}
    chinese = [page.src_uri for page in pages if "/zh/" in page.src_uri]
    assert len(chinese) >= 17
    assert [one for one in chinese if not {one.replace("/zh/", "/"), one.replace("/zh/", "/walks/")} & english] == []


def test_a_line_of_chinese_that_goes_on_has_no_blank_between(repository: Path) -> None:
    joined = runpy.run_path(str(repository / "docs" / "theme" / "chinese_lines.py"))["on_page_markdown"]
    assert joined(
        "一行，\n二行。\n\n- 三\n  四\n- 五\n\nof\ntwo\n字\n`code` 字\n硬断  \n行\n\n```text\n六\n七\n```\n八\n九"
    ) == ("一行，二行。\n\n- 三四\n- 五\n\nof\ntwo\n字\n`code` 字硬断  \n行\n\n```text\n六\n七\n```\n八九")
