"""The desk over HTTP. In: requests of its page, and of others. Out: labels that are kept, refusals."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tellapart.data.to_label import ToLabel

from .conftest import png
from .desks import RunningDesk, running_desk

BROWSER = {"Accept": "text/html"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[RunningDesk]:
    """Two pictures and a file that is none."""
    files = {"a.png": png((1, 2, 3)), "bad.png": b"no picture", "c.png": png((4, 5, 6))}
    pictures = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        pictures.append(
            ToLabel(file=str(tmp_path / name), name=name, suggested=("cat",), probability=0.5, why="uncertain")
        )
    with running_desk(pictures, tmp_path / "labels", classes=("cat", "dog")) as one:
        yield one


def test_from_the_first_picture_to_the_last(desk: RunningDesk) -> None:
    told = desk.get("/desk").json
    assert told == {
        "total": 3,
        "labelled": 0,
        "skipped": 0,
        "unusable": 0,
        "undo": False,
        "next": 0,
        "classes": ["cat", "dog"],
        "problems": [],
    }
    assert desk.get("/desk/pictures/0").json == {
        "number": 0,
        "name": "a.png",
        "suggested": ["cat"],
        "probability": 0.5,
        "why": "uncertain",
        "labels": None,
        "skipped": False,
        "problem": "",
    }
    assert desk.post("/desk/pictures/0", {"labels": ["dog"]}).json["next"] == 1
    assert desk.rows == ["../a.png,dog"]
    assert desk.get("/desk/pictures/0").json["labels"] == ["dog"]
    shown = desk.get("/desk/pictures/1/shown")
    assert (shown.status, shown.json["error"], shown.json["next"]) == (422, "not a picture in a known format", 2)
    assert desk.post("/desk/pictures/2", {"skip": True}).json["next"] is None
    assert desk.post("/desk/again", {}).json["next"] == 2
    assert desk.get("/desk").json["problems"] == [
        {"number": 1, "name": "bad.png", "reason": "not a picture in a known format"}
    ]
    assert desk.post("/desk/undo", {}).json["next"] == 0
    assert desk.rows == []


def test_a_picture_is_asked_for_once(desk: RunningDesk) -> None:
    first = desk.get("/desk/pictures/0/shown")
    assert (first.status, first.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(first.body)).getpixel((0, 0)) == (1, 2, 3)
    assert first.headers["cache-control"] == "private, no-cache"
    again = desk.get("/desk/pictures/0/shown", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/desk/pictures/0", {"labels": ["cow"]}, 400, "'cow' is none of the classes"),
        ("POST", "/desk/pictures/0", {"labels": "cat"}, 400, "the body is no answer of the desk"),
        ("POST", "/desk/pictures/0", {"labels": [1]}, 400, "the body is no answer of the desk"),
        (
            "POST",
            "/desk/pictures/0",
            {"labels": ["cat"], "path": "/etc/passwd"},
            400,
            "the body is no answer of the desk",
        ),
        ("POST", "/desk/pictures/0", {"labels": ["cat"] * 10_001}, 400, "10,001 classes were given; at most 10,000"),
        ("POST", "/desk/pictures/0", b"labels", 400, "the body is not JSON"),
        ("POST", "/desk/pictures/0", b"x" * (1024 * 1024 + 1), 413, "at most 1,048,576 are taken"),
        ("POST", "/desk/pictures/7", {"labels": ["cat"]}, 404, "there is no picture 7"),
        ("GET", "/desk/pictures/7/shown", None, 404, "there is no picture 7"),
        ("GET", "/desk/pictures/-1/shown", None, 404, "there is nothing at"),
        ("GET", "/desk/pictures/..%2f..%2fetc/shown", None, 404, "there is nothing at"),
        ("GET", "/desk/undo", None, 405, "GET is not what this path takes"),
        ("POST", "/desk/undo", {}, 409, "nothing was labelled or skipped yet"),
    ],
)
def test_what_is_refused(desk: RunningDesk, method: str, path: str, body: Any, status: int, message: str) -> None:
    reply = desk.ask(method, path, body)
    assert (reply.status, message in reply.json["error"]) == (status, True), reply.body
    assert desk.rows == []


def test_what_is_not_kept_is_told(desk: RunningDesk) -> None:
    desk.labels.mkdir()
    reply = desk.post("/desk/pictures/0", {"labels": ["cat"]})
    assert reply.status in (409, 507)
    assert desk.get("/desk").json["labelled"] == 0


def test_other_sites_and_other_names_get_nothing(desk: RunningDesk) -> None:
    """As the server refuses them: names that are made to point here, forms that are sent across sites."""
    for path in ("/", "/desk", "/desk/pictures/0/shown", "/page/desk.js"):
        assert desk.get(path, Host="evil.example").status == 403
    body = {"labels": ["cat"]}
    for headers in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
        assert desk.post("/desk/pictures/0", body, **headers).status == 403
        assert desk.post("/desk/undo", {}, **headers).status == 403
    assert desk.rows == []
    headers = desk.get("/desk/pictures/0/shown").headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(("language", "title"), [("en", "Label pictures"), ("zh-CN", "标注图片")])
def test_the_page_comes_in_both_languages(desk: RunningDesk, language: str, title: str) -> None:
    reply = desk.get("/", **BROWSER, Accept_Language=language)
    text = reply.body.decode()
    assert f'<html lang="{language}">' in text
    assert f'<title data-t="desk_name">{title}</title>' in text
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    settings = json.loads(text.partition('id="settings">')[2].partition("</script>")[0])
    assert settings["several"] is settings["new_classes"] is False
