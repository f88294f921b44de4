"""Plain REST, and what every request passes. In: files over HTTP. Out: classes, refusals, headers, metrics, the log."""

from __future__ import annotations

import base64
import json
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tellapart.serving.bodies import Limits
from tellapart.serving.service import ToExplain

from .conftest import PATIENCE, Reply, Running, Start, expected, png


def form(files: list[tuple[str, bytes]]) -> tuple[bytes, str]:
    """A multipart body and its Content-Type."""
    mark = uuid.uuid4().hex
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode() + data + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"


def send(server: Running, path: str, files: list[tuple[str, bytes]]) -> Reply:
    body, kind = form(files)
    return server.post(path, body, Content_Type=kind)


def test_files_become_classes(shared: Running, shared_models: Path, pictures: list[bytes]) -> None:
    reply = send(shared, "/predict?model=single&top=3", [(f"{n}.png", data) for n, data in enumerate(pictures)])
    assert reply.status == 200
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    for row, (one, probabilities) in enumerate(zip(reply.json["predictions"], wanted, strict=True)):
        assert one["file"] == f"{row}.png"
        found = {item["label"]: item["probability"] for item in one["classes"]}
        named = dict(zip(("blue", "green", "红色"), probabilities.tolist(), strict=True))
        assert found == pytest.approx(named, abs=1e-6)
        assert list(found.values()) == sorted(found.values(), reverse=True)
        assert one["label"] == max(named, key=named.__getitem__)
        assert set(one["set"]) == {name for name, value in named.items() if value >= 0.2} | {one["label"]}


def test_a_raw_body_is_one_file(shared: Running, pictures: list[bytes]) -> None:
    wanted = send(shared, "/predict?model=single", [("", pictures[0])]).json
    for kind in ("image/png", "application/octet-stream", "application/x-www-form-urlencoded"):
        assert shared.post("/predict?model=single", pictures[0], Content_Type=kind).json == wanted
    assert shared.post("/predict?model=single", pictures[0]).json == wanted


def test_a_strange_picture_is_unknown_and_a_usual_one_is_not(shared: Running) -> None:
    grey, red = (send(shared, "/predict?model=single", [("", png(colour))]) for colour in ((90, 90, 90), (250, 0, 0)))
    assert grey.json["predictions"][0]["unknown"] is False
    assert red.json["predictions"][0]["unknown"] is True
    # Worked by hand: unit red less unit grey has the squared length 2 - 2 / sqrt(3), and the scale is 2 a side.
    assert red.json["predictions"][0]["novelty"] == pytest.approx(4 * (2 - 2 / 3**0.5), abs=1e-4)


def test_a_model_without_thresholds_says_null(shared: Running, pictures: list[bytes]) -> None:
    reply = shared.post("/predict?model=colours&version=1", pictures[0])
    assert reply.json["version"] == 1
    one = reply.json["predictions"][0]
    assert (one["set"], one["unknown"], one["novelty"]) == (None, None, None)


def test_an_unreadable_file_is_named_and_the_others_are_answered(shared: Running, pictures: list[bytes]) -> None:
    reply = send(shared, "/predict?model=single", [("a.png", pictures[0]), ("b.png", pictures[1][:50])])
    assert reply.status == 200
    assert "label" in reply.json["predictions"][0]
    assert reply.json["predictions"][1] == {"file": "b.png", "error": reply.json["predictions"][1]["error"]}
    assert "damaged or truncated" in reply.json["predictions"][1]["error"]
    reply = send(shared, "/predict?model=single", [("b.txt", b"hello")])
    assert reply.status == 400
    assert reply.json["error"] == "no picture can be used. The first: not a picture in a known format."


def test_a_heatmap_comes_when_asked_for(
    start: Start, pictures: list[bytes], explain: Callable[..., bytes], shared: Running
) -> None:
    explaining = start(explain=explain)
    one = explaining.post("/predict?model=single&explain=true", pictures[0]).json["predictions"][0]
    head, _, data = one["heatmap"].partition(",")
    assert head == "data:image/png;base64"
    target = ("blue", "green", "红色").index(one["label"])
    assert base64.b64decode(data).decode() == f"single {len(pictures[0])} {target}"
    assert "heatmap" not in explaining.post("/predict?model=single", pictures[0]).json["predictions"][0]
    reply = shared.post("/predict?model=single&explain=true", pictures[0])
    assert (reply.status, reply.json["error"]) == (409, "this server draws no heatmaps. Ask without `explain`.")
    many = send(explaining, "/predict?model=single&explain=1", [("", pictures[0])] * 17)
    assert (many.status, many.json["error"][:30]) == (400, "17 pictures to explain; at mos")


@pytest.mark.parametrize(
    ("path", "body", "kind", "status", "words"),
    [
        (
            "/predict",
            b"x",
            "image/png",
            400,
            "this server has 2 models. Say which: ?model=NAME. Models: colours, single.",
        ),
        ("/predict?model=x", b"x", "image/png", 404, "there is no model 'x'"),
        ("/predict?model=single&version=x", b"x", "image/png", 400, "'x' is not a version"),
        ("/predict?model=single&version=9", b"x", "image/png", 404, "no version 9"),
        (
            "/predict?model=single&top=0",
            b"x",
            "image/png",
            400,
            "top is '0'; it must be a whole number from 1 to 999,999.",
        ),
        (
            "/predict?model=single&explain=maybe",
            b"x",
            "image/png",
            400,
            "explain is 'maybe'; it must be true or false.",
        ),
        (
            "/predict?model=single",
            b"",
            "image/png",
            400,
            "the body is empty. Send multipart/form-data, JSON, or the bytes",
        ),
        ("/predict?model=single", b"{}", "application/json", 400, "the JSON holds nothing; /predict takes {"),
        ("/predict?model=single", b"x", "multipart/form-data", 400, "the multipart body cannot be read"),
        ("/predict?model=single", b"--a--\r\n", "multipart/form-data; boundary=a", 400, "the form holds no file."),
        ("/predict?model=single", b"\x00" * 99, "multipart/form-data; boundary=a", 400, "the multipart body cannot be"),
        ("/nowhere", b"", "image/png", 404, "there is nothing at '/nowhere'. See /openapi.json."),
    ],
)
def test_what_is_wrong_is_said(shared: Running, path: str, body: bytes, kind: str, status: int, words: str) -> None:
    reply = shared.post(path, body, Content_Type=kind)
    assert reply.status == status
    assert words in reply.json["error"]


def test_methods_and_encodings_that_are_not_taken(shared: Running) -> None:
    reply = shared.get("/predict")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert reply.json["error"] == "GET is not what this path takes. See /openapi.json."
    reply = shared.post("/predict?model=single", b"x", Content_Encoding="gzip")
    assert reply.status == 400
    assert "Content-Encoding 'gzip'. Send it uncompressed" in reply.json["error"]


def test_a_body_over_the_limit_is_refused_announced_or_not(start: Start) -> None:
    server = start(limits=Limits(body_bytes=1000))
    for body in (b"x" * 1001, iter([b"x" * 600, b"x" * 600])):
        reply = server.post("/predict?model=single", body)
        assert reply.status == 413
        assert "at most 1,000 are taken. Send less in one request." in reply.json["error"]
        assert reply.headers["connection"] == "close"


def test_every_answer_has_headers_that_browsers_heed(shared: Running) -> None:
    for reply in (shared.get("/models"), shared.get("/nowhere"), shared.get("/health/live")):
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert "server" not in reply.headers


def test_a_request_keeps_its_id_and_gets_one_where_it_has_none(shared: Running) -> None:
    assert shared.get("/models", X_Request_Id="abc-1").headers["x-request-id"] == "abc-1"
    made = shared.get("/models").headers["x-request-id"]
    assert len(made) == 32
    assert shared.get("/models", X_Request_Id="a b\tc").headers["x-request-id"] not in ("a b\tc", made)


def test_a_key_is_asked_for_everywhere_but_by_probes(start: Start) -> None:
    server = start(keys=("k" * 20, "l" * 20))
    assert server.get("/health/live").status == server.get("/v2/health/ready").status == 200
    for path in ("/models", "/metrics", "/v1/models/single", "/openapi.json", "/nowhere"):
        reply = server.get(path)
        assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert reply.json["error"].startswith("this server asks for a key. Send it as")
    assert server.get("/models", Authorization=f"Bearer {'l' * 20}").status == 200
    assert server.get("/models", X_Api_Key="k" * 20).status == 200
    reply = server.get("/models", X_Api_Key="m" * 20)
    assert (reply.status, reply.json["error"][:40]) == (401, "the key is not one that this server know")


def test_models_are_described_with_their_scores(shared: Running) -> None:
    one = {model["name"]: model for model in shared.get("/models").json["models"]}["colours"]
    assert (one["version"], one["classes"]) == (2, ["blue", "green", "红色"])
    assert one["scores"]["accuracy"] == {"value": 0.9, "low": 0.8, "high": 0.95}
    assert one["abstention"]["coverage"] == 0.9


def test_metrics_count_what_happened(server: Running, pictures: list[bytes]) -> None:
    send(server, "/predict?model=single", [("", pictures[0]), ("", b"broken"), ("", png((250, 0, 0)))])
    server.get("/nowhere")
    text = server.get("/metrics").body.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['tellapart_requests_total{operation="predict",protocol="plain",status="200"}'] == "1.0"
    assert lines['tellapart_requests_total{operation="none",protocol="other",status="404"}'] == "1.0"
    assert lines['tellapart_pictures_total{model="single",outcome="classified",version="1"}'] == "2.0"
    assert lines['tellapart_pictures_total{model="single",outcome="unreadable",version="1"}'] == "1.0"
    assert lines['tellapart_unknown_total{model="single"}'] == "1.0"
    assert lines['tellapart_model_version{model="colours"}'] == "2.0"
    assert float(lines["tellapart_batch_pictures_sum"]) == 2
    assert lines["tellapart_queue_pictures"] == "0.0"
    assert 'tellapart_predictions_total{class_name="红色",model="single"}' in lines
    assert float(lines['tellapart_stage_seconds_count{stage="network"}']) >= 1


def test_each_request_is_one_line_of_json_in_the_log(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tellapart.access"):
        server.get("/v1/models/single?x=1", X_Request_Id="mine")
        server.stop()  # the line is written after the answer
    (line,) = [json.loads(record.message) for record in caplog.records if record.name == "tellapart.access"]
    assert (line["id"], line["method"], line["path"], line["status"]) == ("mine", "GET", "/v1/models/single", 200)
    assert line["ms"] >= 0


def test_a_bug_is_told_to_the_log_and_not_to_the_client(start: Start, pictures: list[bytes], caplog: Any) -> None:
    def broken(*_: Any) -> bytes:
        raise ZeroDivisionError("secret")

    server = start(explain=broken)
    reply = server.post("/predict?model=single&explain=true", pictures[0], X_Request_Id="r1")
    assert reply.status == 500
    assert reply.json == {"error": "the server failed. Its log says why, at request r1."}
    assert reply.headers["x-request-id"] == "r1"
    assert "secret" in caplog.text
    assert server.post("/predict?model=single", pictures[0]).status == 200


def test_a_server_that_stops_is_not_ready_but_lives(server: Running, pictures: list[bytes]) -> None:
    server.service.stop_taking()
    assert server.get("/health/live").status == 200
    for path in ("/health/ready", "/v2/health/ready"):
        reply = server.get(path)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert server.post("/predict?model=single", pictures[0]).status == 200  # what comes all the same is answered


def test_a_model_that_alone_is_served_need_not_be_named(start: Start, models: Path, pictures: list[bytes]) -> None:
    server = start(str(models / "single"))
    assert server.post("/predict", pictures[0]).json["model"] == "single"
    assert np.isfinite(server.post("/predict", pictures[0]).json["predictions"][0]["probability"])


def test_no_more_requests_wait_for_heatmaps_than_are_drawn_soon(
    start: Start, until: Callable[[Callable[[], object]], None], pictures: list[bytes]
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def slow(version: object, data: bytes, shown: ToExplain) -> bytes:
        begun.release()
        go_on.wait(PATIENCE)
        return b"heat"

    server = start(explain=slow)

    def ask() -> Reply:
        return server.post("/predict?model=single&explain=true", pictures[0])

    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(ask) for _ in range(16)]
        assert begun.acquire(timeout=PATIENCE)
        until(lambda: under_way(server) == 17)  # with this look
        reply = ask()
        assert (reply.status, reply.headers["retry-after"]) == (429, "5")
        assert reply.json["error"].startswith("16 requests wait for heatmaps, which are drawn one at a time.")
        go_on.set()
        assert {one.result().status for one in waiting} == {200}


def under_way(server: Running) -> float:
    text = server.get("/metrics").body.decode()
    return float(next(line for line in text.splitlines() if line.startswith("tellapart_requests_under_way")).split()[1])
