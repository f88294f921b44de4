"""Bodies that are made to stop the server, or to make it fail. In: what a tester sent. Out: a refusal before any work."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from tellapart.errors import TellapartError
from tellapart.serving import bodies
from tellapart.serving.bodies import read_aside, read_json
from tellapart.serving.inference_protocol import read_infer
from tellapart.serving.pictures import Picture, Pixels
from tellapart.serving.tensors import as_numbers
from tellapart.serving.tfserving import read_classify, read_predict

from .conftest import PATIENCE, Running, Start, png
from .test_plain import form

INFER, PREDICT = "/v2/models/single/infer", "/v1/models/single:predict"
PIXELS = {"name": "image", "datatype": "UINT8", "shape": [1, 1, 2, 3], "data": [9] * 6}
FILE = {"name": "image", "datatype": "BYTES", "shape": [1]}
COARSE = 1_048_577  # spaces that make a small body a large one


def infer(**further: Any) -> bytes:
    return json.dumps({"inputs": [PIXELS], **further}).encode()


def tensor(**changes: Any) -> bytes:
    return json.dumps({"inputs": [{**PIXELS, **changes}]}).encode()


def nested(depth: int) -> bytes:
    return (
        json.dumps({"inputs": [{**FILE, "data": "@"}]}).encode().replace(b'"@"', b"[" * depth + b'"aa"' + b"]" * depth)
    )


def zeros(count: int) -> bytes:
    return json.dumps({"inputs": [{**FILE, "parameters": {"binary_data_size": count}}]}).encode() + bytes(count)


# Path, body, status, what is said.
HOSTILE: dict[str, tuple[str, Callable[[], bytes], int, str]] = {
    "60,000 dimensions": (
        INFER,
        lambda: tensor(shape=[2**31 - 1] * 60_000),
        400,
        "at most 4, each below 2,147,483,648",
    ),
    "70 dimensions": (INFER, lambda: tensor(shape=[1] * 70), 400, "at most 4, each below"),
    "a size too large": (INFER, lambda: tensor(shape=[2**31]), 400, "has shape [2147483648]; it must be a list of"),
    "one long text among numbers": (
        INFER,
        lambda: tensor(data=["x" * 1500, *[1] * 100_000]),
        400,
        "whole numbers from 0",
    ),
    "the same as v1": (
        PREDICT,
        lambda: json.dumps({"instances": [["x" * 1500, *[1] * 100_000]]}).encode(),
        400,
        "whole numbers from 0",
    ),
    "many equal outputs": (
        INFER,
        lambda: infer(outputs=[{"name": "set"}] * 300_000),
        400,
        "`outputs` names 300,000; no model",
    ),
    "17 outputs": (INFER, lambda: infer(outputs=[{"name": "set"}] * 17), 400, "no model here has more than 16"),
    "an output twice": (INFER, lambda: infer(outputs=[{"name": "set"}] * 2), 400, "'set' is asked for twice"),
    "an endless time limit": (INFER, lambda: infer(parameters={"timeout": 10**400}), 400, "below 2**63"),
    "lists 6 deep": (INFER, lambda: nested(6), 400, "lists in more than 4 others"),
    "lists 900 deep": (INFER, lambda: nested(900), 400, "lists in more than 4 others"),
    "lists 9,000 deep": (INFER, lambda: nested(9000), 400, "nested"),
    "an id that is a list": (INFER, lambda: infer(id=[[["x"]]]), 400, "`id` is [[['x']]]; it must be a string."),
    "half a pair in a key": (PREDICT, lambda: b'{"\\ud800": 1}', 400, "has the keys \\ud800; there must be"),
    "half a pair in an instance": (
        PREDICT,
        lambda: b'{"instances": [{"\\udfff": 1}]}',
        400,
        "the inputs are \\udfff; there",
    ),
    "half a pair as bytes": (PREDICT, lambda: b'{"\xed\xa0\x80": 1}', 400, "the body is not JSON ('utf-8' codec"),
    "many empty lists": (
        PREDICT,
        lambda: b'{"instances": [' + b"[]," * 5_000_000 + b"[]]}",
        413,
        "numbers and lists; at most",
    ),
    "many empty objects": (
        PREDICT,
        lambda: b'{"instances": [' + b"{}," * 5_000_000 + b"{}]}",
        413,
        "Send less, or picture files in base64",
    ),
    "one picture for many": (
        "/v1/models/single:classify",
        lambda: json.dumps({"context": {"image": {"b64": "aa"}}, "examples": [{}] * 1000}).encode(),
        400,
        "`context` holds image for 1,000 examples",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_made_to_stop_the_server_is_refused_in_a_few_words(shared: Running, name: str) -> None:
    path, body, status, words = HOSTILE[name]
    reply = shared.post(path, body())
    assert (reply.status, words in reply.json["error"]) == (status, True), reply.json
    assert len(reply.json["error"]) < 600


def test_elements_end_where_the_shape_says(shared: Running) -> None:
    head = len(zeros(16 * 2**20)) - 16 * 2**20
    reply = shared.post(INFER, zeros(16 * 2**20), Inference_Header_Content_Length=str(head))
    assert reply.status == 400
    assert "1 are whole, and 16,777,212 bytes are left" in reply.json["error"]


@pytest.mark.parametrize("length", ["9" * 5000, "0" * 5000])
def test_a_long_header_length_is_no_length(shared: Running, length: str) -> None:
    reply = shared.post(INFER, infer(), Inference_Header_Content_Length=length)
    assert (reply.status, reply.json["error"][:40]) == (400, "Inference-Header-Content-Length is '" + length[:4])


@pytest.mark.parametrize("top", ["000000001" + "0" * 5000, "1000000", "0000000"])
def test_top_is_a_short_number(shared: Running, top: str) -> None:
    reply = shared.post(f"/predict?model=single&top={top}", png((1, 2, 3)))
    assert reply.status == 400
    assert "it must be a whole number from 1 to 999,999." in reply.json["error"]


def test_an_id_comes_back_as_it_was_sent(shared: Running) -> None:
    reply = shared.post(INFER, infer(id="\ud800 and 红"))
    assert (reply.status, reply.json["id"]) == (200, "\ud800 and 红")
    reply = shared.post(INFER, infer(id="\ud800", parameters={"binary_data_output": True}))
    head = int(reply.headers["inference-header-content-length"])
    assert json.loads(reply.body[:head])["id"] == "\ud800"


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape"])
def test_a_file_name_of_another_charset_is_told_back(shared: Running, charset: str) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="\\ud800"\r\n\r\n'
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    reply = shared.post("/predict?model=single", head + png((1, 2, 3)) + b"\r\n--x--\r\n", Content_Type=kind)
    assert (reply.status, reply.json["predictions"][0]["file"]) == (200, "\ud800")


def test_more_files_than_may_wait_are_refused_by_that_rule(start: Start) -> None:
    server = start(queue=5)
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n' + png((1, 2, 3)) + b"\r\n"
    kind = "multipart/form-data; boundary=x"
    assert server.post("/predict?model=single", part * 5 + b"--x--\r\n", Content_Type=kind).status == 200
    reply = server.post("/predict?model=single", part * 6 + b"--x--\r\n", Content_Type=kind)
    words = "6 files in one request; at most 5 are taken, as many as may wait (--queue). Send several requests."
    assert (reply.status, reply.json["error"]) == (413, words)
    reply = server.post("/predict?model=single", part * 1001 + b"--x--\r\n", Content_Type=kind)
    assert (reply.status, reply.json["error"][:41]) == (400, "the form has more than 1,000 files or fie")


def large(body: dict[str, Any], indent: int | None = None) -> bytes:
    """JSON that is read as large bodies are."""
    return json.dumps(body, indent=indent).encode() + b" " * COARSE


def assert_pixels(found: Sequence[Picture], wanted: list[np.ndarray]) -> None:
    arrays = [one.array for one in found if isinstance(one, Pixels)]
    assert all(np.array_equal(one, two) for one, two in zip(arrays, wanted, strict=True))


def test_large_pixels_are_what_was_sent() -> None:
    random = np.random.default_rng(7)
    same = random.integers(0, 256, (2, 90, 70, 3), dtype=np.uint8)
    sizes = [random.integers(0, 256, (height, 200, 3), dtype=np.uint8) for height in (40, 1, 300)]
    shown: list[tuple[Any, list[np.ndarray]]] = [
        (same.tolist(), list(same)),
        ([one.tolist() for one in sizes], sizes),
        ([sizes[2].tolist()], sizes[2:]),
        ([{"image": one.tolist()} for one in sizes], sizes),
    ]
    for value, wanted in shown:
        for indent in (None, 1):
            found = read_predict(read_json(large({"instances": value}, indent))).pictures
            assert_pixels(found, wanted)
    column = read_predict(read_json(large({"inputs": {"image": same[0].tolist()}}))).pictures
    assert_pixels(column, [same[0]])
    classified = read_classify(read_json(large({"examples": [{"image": [sizes[2].tolist()]}]})))
    assert_pixels(classified, sizes[2:])
    body = {"inputs": [{**PIXELS, "shape": list(same.shape), "data": same.reshape(-1).tolist()}]}
    found = read_infer(large(body), None).pictures
    assert_pixels(found, list(same))


def test_large_texts_are_what_was_sent() -> None:
    texts = ["a" * 70_000, 'b"\\' * 40_000, "红" * 70_000, "[1,2" * 20_000, "NaN", "x" * 70_000]
    body = {"t": texts, "x" * 70_000: 1, "s": [1, 2, 3], "n": -1.5e3}
    assert read_json(large(body)) == body
    assert read_json(json.dumps(body, ensure_ascii=False).encode() + b" " * COARSE) == body


@pytest.mark.parametrize(
    "text",
    ["{", '{"a": NaN}', '{"a": Infinity}', '{"a": "x}', '{"a": [1,]}', '{"a" [1]}', "[" * 3000, '{"a": [01]}', "NaN"],
)
def test_large_bodies_that_are_not_json_are_refused(text: str) -> None:
    for body in (
        text + " " * COARSE,
        text.replace("[1", "[" + "1," * COARSE + "1").replace("[0", "[" + "1," * COARSE + "0"),
    ):
        with pytest.raises(TellapartError, match="not JSON"):
            read_json(body.encode())


ROWS = b"[" + b",".join([b"[" + b",".join([b"[1,2,3]"] * 1000) + b"]"] * 990) + b"]"  # 8 MB: nearly as many as may be
FORM, FORM_KIND = form([("a.png", png((1, 2, 3)) + bytes(COARSE))])


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        (PREDICT, b'{"instances":[' + ROWS + b"]}", "application/json"),
        pytest.param(
            "/v1/models/single:classify",
            b'{"examples":[{"image":' + ROWS + b"}]}",
            "application/json",
            marks=pytest.mark.long,
        ),
        (INFER, infer() + b" " * COARSE, "application/json"),
        ("/predict?model=single", FORM, FORM_KIND),
    ],
    ids=["predict", "classify", "infer", "form"],
)
def test_a_large_body_is_read_while_others_are_answered(
    shared: Running, until: Callable[..., None], path: str, body: bytes, kind: str
) -> None:
    begun, gate, replies = threading.Event(), threading.Event(), list[int]()

    def read(body: bytes) -> bool:
        begun.set()
        return gate.wait(PATIENCE)

    before = threading.Thread(target=lambda: asyncio.run(read_aside(read, b" " * COARSE)))
    asking = threading.Thread(target=lambda: replies.append(shared.post(path, body, Content_Type=kind).status))
    before.start()
    assert begun.wait(PATIENCE)
    asking.start()
    until(lambda: bodies._READER._work_queue.qsize() == 1)  # it has come, and waits for its turn
    for _ in range(3):
        assert shared.get("/health/live").status == 200
        assert shared.post(INFER, infer()).status == 200
    assert replies == []
    gate.set()
    asking.join()
    before.join()
    assert replies == [200]


def test_one_long_text_does_not_make_all_elements_long() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TellapartError, match="whole numbers from 0 to 255"):
            as_numbers(["x" * 1500, *[1] * 100_000], "image")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000  # bytes; 600 million as NumPy's array of texts
    finally:
        tracemalloc.stop()


def test_binary_files_are_as_many_as_their_shape_says() -> None:
    raw = struct.pack("<I", 2) + b"ab"
    head = json.dumps({"inputs": [{**FILE, "shape": [4_194_304], "parameters": {"binary_data_size": 6}}]}).encode()
    with pytest.raises(TellapartError, match="4,194,304 inputs in one request; at most 1,024"):
        read_infer(head + raw, str(len(head)))
