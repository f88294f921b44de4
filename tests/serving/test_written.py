"""Pictures of a plain request in every way to write them. In: forms, data: URIs, JSON. Out: one answer, or what is wrong."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import Running, expected

PATH = "/predict?model=single&top=3"
FORM = b'--a\r\nContent-Disposition: form-data; name="picture"\r\n\r\n%s\r\n--a--\r\n'


def probabilities(reply: Any) -> list[list[float]]:
    assert reply.status == 200, reply.body
    rows = [{one["label"]: one["probability"] for one in row["classes"]} for row in reply.json["predictions"]]
    return [[row[name] for name in ("blue", "green", "红色")] for row in rows]


def test_one_picture_in_every_way(shared: Running, shared_models: Path, pictures: list[bytes]) -> None:
    plain = base64.b64encode(pictures[0]).decode()
    uri = "data:image/png;base64," + plain
    escaped = "DATA:image/png," + "".join(f"%{byte:02x}" for byte in pictures[0])
    ways = [
        *((json.dumps({"image": text}).encode(), "application/json") for text in (plain, uri, [uri])),
        *((text.encode(), "text/plain;charset=UTF-8") for text in (uri, escaped)),
        (FORM % uri.encode(), "multipart/form-data; boundary=a"),
    ]
    wanted = expected(shared_models / "single" / "model.onnx", pictures[:1])
    for body, kind in ways:
        np.testing.assert_allclose(probabilities(shared.post(PATH, body, Content_Type=kind)), wanted, atol=1e-5)
    both = json.dumps({"image": [plain, uri]}).encode()
    assert len(probabilities(shared.post(PATH, both, Content_Type="application/json"))) == 2


def test_a_large_picture_in_a_field(shared: Running) -> None:
    """A form's text fields are often held to a megabyte."""
    uri = b"data:image/png;base64," + base64.b64encode(b"no picture" * 200_000)
    reply = shared.post(PATH, FORM % uri, Content_Type="multipart/form-data; boundary=a")
    assert reply.json["predictions"][0] == {"file": "picture", "error": "not a picture in a known format"}


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b'{"image": 3}', "application/json", "the JSON holds image; /predict takes"),
        (b'{"image": []}', "application/json", "/predict takes"),
        (b'{"image": ["x", 3]}', "application/json", "/predict takes"),
        (b'{"image": "x", "b": 1}', "application/json", "the JSON holds b, image; /predict takes"),
        (b'{"image": "?"}', "application/json", "'image' holds a file that is not base64"),
        (b"data:image/png;base64,?", "text/plain", "'image' holds a file that is not base64"),
        (b"data:", "text/plain", "no picture can be used. The first: empty file"),
        (FORM % b"cat", "multipart/form-data; boundary=a", "the form holds no file"),
    ],
)
def test_what_is_none(shared: Running, body: bytes, kind: str, words: str) -> None:
    reply = shared.post(PATH, body, Content_Type=kind)
    assert reply.status == 400
    assert words in reply.json["error"]
