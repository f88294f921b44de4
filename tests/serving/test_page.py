"""The page as it comes over the wire. In: requests of browsers and others. Out: HTML in two languages, strict headers."""

from __future__ import annotations

import asyncio
import html
import http.client
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from tellapart.cli.translating import translate
from tellapart.reporting.phrases import table
from tellapart.serving import page
from tellapart.serving.page import preferred

from .conftest import PATIENCE, Running, Start

PAGES = Path(__file__).parents[2] / "src" / "tellapart" / "serving" / "pages"
WORDS = {key: phrase for key, phrase in table().items() if key.startswith("page_")}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def server(start: Start) -> Running:
    return start(words=WORDS, keys=["a key of twenty letters"])


def settings(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="settings">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_browsers_get_the_page_and_others_what_they_know(server: Running) -> None:
    page = server.get("/", **BROWSER)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.headers["vary"] == "Accept, Accept-Language, Cookie"
    for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}):
        assert server.get("/", **accept).json["status"] == "alive"
    assert server.ask("HEAD", "/", **BROWSER).status == 200


def test_without_words_there_is_no_page(shared: Running) -> None:
    assert shared.get("/", **BROWSER).json["status"] == "alive"
    assert shared.get("/page/page.js").status == 404


def test_the_page_comes_without_a_key_and_what_it_asks_for_does_not(server: Running) -> None:
    assert server.get("/", **BROWSER).status == 200
    assert server.get("/page/page.js").status == 200
    for path in ("/models", "/metrics", "/page", "//", "/page/../models"):
        assert server.get(path).status in (401, 404)
        assert "classes" not in server.get(path).body.decode()
    assert server.get("/models").status == 401


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "en"),
        ({"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "zh-CN"),
        ({"Accept-Language": "de,en;q=0.5,zh;q=0.3"}, "en"),
        ({"Accept-Language": "en", "Cookie": "tellapart_language=zh"}, "zh-CN"),
        ({"Accept-Language": "zh", "Cookie": "tellapart_language=<b>"}, "zh-CN"),
    ],
)
def test_language(server: Running, headers: dict[str, str], language: str) -> None:
    text = server.get("/", **BROWSER, **headers).body.decode()
    assert f'<html lang="{language}">' in text
    key = "zh" if language == "zh-CN" else "en"
    assert f'<title data-t="page_name">{html.escape(WORDS["page_name"][key])}</title>' in text
    assert f'aria-label="{WORDS["page_viewfinder"][key]}"' in text
    assert settings(text)["words"] == WORDS  # both: switching needs no request


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("", "en"),
        ("*", "en"),
        ("fr", "en"),
        ("zh", "zh"),
        ("ZH-cn", "zh"),
        ("zh-TW", "en"),
        ("zh-TW,zh;q=0.9,en-US;q=0.8", "en"),
        ("zh-HK,zh-CN;q=0.5,en;q=0.1", "zh"),
        ("zh-Hans-HK", "zh"),
        ("en;q=0.2, zh;q=0.7", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=oops, en;q=0.5", "zh"),
        ("en,zh", "en"),
        (";;,;q", "en"),
    ],
)
def test_preferred(accepted: str, language: str) -> None:
    assert preferred(accepted) == language


def test_colours_that_were_chosen_are_there_at_once(server: Running) -> None:
    def html_tag(cookie: str) -> str:
        return re.search(r"<html.*?>", server.get("/", **BROWSER, Cookie=cookie).body.decode())[0]  # type: ignore[index]

    assert html_tag("tellapart_theme=dark") == '<html data-theme="dark" lang="en">'
    assert html_tag('tellapart_theme="><script>') == '<html lang="en">'


def test_the_page_may_load_nothing_from_elsewhere(server: Running) -> None:
    headers = server.get("/", **BROWSER).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["permissions-policy"].startswith("camera=(self)")
    for file in PAGES.iterdir():
        text = file.read_text(encoding="utf-8")
        # SVG's name space is a name, not an address.
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            file.name
        )
    page = (PAGES / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"\s(on\w+|style)=", page)


def test_files_are_kept_and_asked_for_again(server: Running) -> None:
    for name, kind in (
        ("page.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ):
        answer = server.get(f"/page/{name}")
        assert (answer.status, answer.headers["content-type"], answer.headers["cache-control"]) == (
            200,
            kind,
            "no-cache",
        )
        assert answer.body == (PAGES / name).read_bytes()
        again = server.get(f"/page/{name}", If_None_Match=f'"other", W/{answer.headers["etag"]}')
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", answer.headers["etag"])
    page = server.get("/", **BROWSER)
    assert server.get("/", **BROWSER, If_None_Match=page.headers["etag"]).status == 304
    assert server.get("/", **BROWSER, If_None_Match=page.headers["etag"], Accept_Language="zh").status == 200


@pytest.mark.parametrize("name", ["nothing.js", "page.html", "..%2fpage.py", "%2e%2e/page.py", "__init__.py"])
def test_nothing_else_is_handed_out(server: Running, name: str) -> None:
    assert server.get(f"/page/{name}").status in (401, 404)


def test_every_file_that_the_page_names_is_there(server: Running) -> None:
    names = {"page.html", "desk.html"}
    for file in PAGES.iterdir():
        names |= set(re.findall(r'(?:page/|from "\./)([\w.]+)"', file.read_text(encoding="utf-8")))
    assert names == {file.name for file in PAGES.iterdir()}


def test_what_the_server_can_do_is_told(start: Start, explain: Any) -> None:
    def told(**options: Any) -> dict[str, Any]:
        found = settings(start(words=WORDS, **options).get("/", **BROWSER).body.decode())
        return {name: value for name, value in found.items() if name != "words"}

    assert told() == {"corrections": False, "heatmaps": False, "body_bytes": 64 * 1024 * 1024, "translates": False}
    assert told(explain=explain)["heatmaps"] is True


def test_words_cannot_end_the_script(start: Start) -> None:
    words = {**WORDS, "page_name": {"en": "</script><script>alert(1)</script> & <b>", "zh": "字"}}
    text = start(words=words).get("/", **BROWSER).body.decode()
    assert settings(text)["words"]["page_name"] == words["page_name"]
    assert text.count("</script>") == 2
    assert "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;</title>" in text


def test_the_command_hands_it_all_on(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    command = [
        sys.executable,
        "-m",
        "tellapart.cli.main",
        "serve",
        str(models / "single"),
        "--port",
        "0",
        "--no-grpc",
        "--no-access-log",
        "--corrections",
        str(folder),
        "--corrections-mb",
        "1",
        "--allow-host",
        "cats.example.com",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            port = next(
                int(found[1]) for line in lines if (found := re.search(r"HTTP on http://127.0.0.1:(\d+)", line))
            )

            def ask(host: str) -> tuple[int, str]:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
                connection.request("GET", "/", headers={**BROWSER, "Host": host})
                answer = connection.getresponse()
                text = answer.read().decode()
                connection.close()
                return answer.status, text

            status, text = ask("cats.example.com")
            assert (status, ask("evil.com")[0]) == (200, 403)
            assert settings(text)["corrections"] is settings(text)["heatmaps"] is True
            assert settings(text)["words"] == WORDS
            assert folder.is_dir()
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--allow-host", "http://cats"],
            "--allow-host 'http://cats' is no host name: give it without http:// and without a path",
        ),
        (["--corrections", "{file}/folder"], "a part of the path is a file, not a folder. Choose another path"),
    ],
)
def test_what_the_command_refuses(models: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "file").write_text("")
    given = [argument.format(file=tmp_path / "file") for argument in arguments]
    command = [sys.executable, "-m", "tellapart.cli.main", "serve", str(models / "single"), "--port", "0", "--no-grpc"]
    done = subprocess.run([*command, *given], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert message in done.stderr


async def _asked(text: str, **more: Any) -> dict[str, Any]:
    """What /page/said answers, without a server."""
    said = next(route for route in page.routes(WORDS, {}, **more) if route.path == "/page/said")
    query = urlencode({"text": text}).encode()
    request = Request({"type": "http", "method": "GET", "path": "/page/said", "query_string": query, "headers": []})
    answer: dict[str, Any] = json.loads((await said.endpoint(request)).body)
    return answer


def test_a_reason_is_said_in_chinese_where_the_page_can() -> None:
    assert asyncio.run(_asked("not a picture in a known format", in_chinese=translate)) == {
        "said": "不是已知格式的图片"
    }
    assert asyncio.run(_asked("not a picture in a known format")) == {"said": "not a picture in a known format"}
    assert len(asyncio.run(_asked("a: b; " * 500, in_chinese=translate))["said"]) <= 400
