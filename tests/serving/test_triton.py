"""A real Triton as oracle. In: one model.onnx behind its Python backend and behind ours. Out: the same answers.

Opt-in, since Triton is 400 MB and wants numpy 1 (Linux x86-64, glibc 2.35 or newer):

    uv venv --python 3.11 /tmp/triton
    uv pip install --python /tmp/triton/bin/python --requirement benchmarks/serving_requirements.txt
    TELLAPART_TRITON=/tmp/triton pytest -m triton tests/serving/test_triton.py

The requests are sent by NVIDIA's own client out of that environment, and by hand where a client would never send them.
"""

from __future__ import annotations

import http.client
import json
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import PATIENCE, Running, expected, pixels
from .triton_server import Address, running_triton

CLIENT = Path(__file__).with_name("triton_client.py")
ENVIRONMENT = Path(os.environ.get("TELLAPART_TRITON", "/nowhere"))
pytestmark = [
    pytest.mark.triton,
    pytest.mark.skipif(not ENVIRONMENT.is_dir(), reason="TELLAPART_TRITON names no environment with Triton"),
]


@pytest.fixture(scope="module")
def ours(shared: Running) -> Address:
    return Address(http=shared.http_port, grpc=shared.grpc_port)


@pytest.fixture(scope="module")
def triton(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    with running_triton(
        ENVIRONMENT, shared_models / "single" / "model.onnx", tmp_path_factory.mktemp("triton")
    ) as address:
        yield address


def run(kind: str, address: Address, pixel_model: str, folder: Path) -> dict[str, Any]:
    """NVIDIA's client, out of Triton's environment."""
    port = address.http if kind == "http" else address.grpc
    command = [ENVIRONMENT / "bin" / "python", CLIENT, kind, f"127.0.0.1:{port}", pixel_model, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


# Where Triton answers otherwise and the protocol does not side with it.
OTHERWISE = {
    "outputs as asked",  # ours come in the order asked for, its Python backend's in the model's
    "classification",  # without a batch dimension in its configuration, Triton's is [k], ours [N, k]; see below
    "unknown statistics",  # 400; ours is 404, as for everything else that is not there
    "load",  # 503 where it is not allowed, which a client would try again; ours is 409
    "server",  # its own name
    "index",  # its own models
    "metadata",
    "statistics",  # compared below, without what is theirs
}


@pytest.mark.parametrize("kind", ["http", "grpc"])
def test_nvidias_client_gets_the_same_answers(
    kind: str, ours: Address, triton: Address, pictures: list[bytes], shared_models: Path, tmp_path: Path
) -> None:
    for number, data in enumerate(pictures):
        (tmp_path / f"{number}.png").write_bytes(data)
    np.save(tmp_path / "pixels.npy", pixels(pictures[1]))
    mine, theirs = run(kind, ours, "single", tmp_path), run(kind, triton, "pixels", tmp_path)
    for name in mine.keys() - OTHERWISE:
        assert same(mine[name], theirs[name]), f"{name}: {mine[name]} where Triton says {theirs[name]}"
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    assert mine["files"]["outputs"]["probabilities"][2] == pytest.approx(wanted.ravel().tolist(), abs=1e-5)
    assert same(mine["outputs as asked"]["outputs"], theirs["outputs as asked"]["outputs"])
    assert mine["outputs as asked"]["order"] == ["unknown", "probabilities"]
    assert (
        mine["classification"]["outputs"]["probabilities"][2] == theirs["classification"]["outputs"]["probabilities"][2]
    )
    assert {**mine["metadata"], "platform": ""} == {**theirs["metadata"], "platform": ""}
    counted = theirs["statistics"]["model_stats"][0]
    further = {"memory_usage", "response_stats"}  # of Triton's later versions, which a server need not tell
    assert keys(mine["statistics"]["model_stats"][0]) == keys({key: counted[key] for key in counted.keys() - further})
    assert mine["server"].keys() == theirs["server"].keys()
    assert set(mine["server"]["extensions"]) <= set(theirs["server"]["extensions"])
    listed = [one for one in (mine["index"]["models"] if kind == "grpc" else mine["index"]) if one["name"] == "single"]
    assert [{**one, "reason": ""} for one in listed] == [
        {"name": "single", "version": "1", "state": "READY", "reason": ""}
    ]
    assert [name for name in mine if isinstance(mine[name], dict) and "outputs" in mine[name]]  # not all were errors


def same(one: Any, other: Any) -> bool:
    """Equal; numbers within 1e-6, since JSON rounds."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 1e-6
    return bool(one == other)


def keys(one: Any) -> Any:
    """The form without the figures, which gRPC leaves out where they are 0."""
    return (
        {key: keys(value) for key, value in one.items() if key not in ("count", "ns")}
        if isinstance(one, dict)
        else None
    )


INFER = "/v2/models/single/infer"


def binary(head: dict[str, Any], data: bytes, length: int | str | None = None) -> tuple[bytes, dict[str, str]]:
    """A body with binary data, and its header."""
    text = json.dumps(head).encode()
    return text + data, {"Inference-Header-Content-Length": str(len(text) if length is None else length)}


def by_hand(picture: bytes) -> dict[str, tuple[Any, ...]]:
    """Requests that no client sends: name -> method, path, body, headers."""
    raw = struct.pack("<I", len(picture)) + picture
    one = {"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(raw)}}
    whole = {"inputs": [one], "id": "a"}
    return {
        "whole": ("POST", INFER, *binary(whole, raw)),
        "all binary": ("POST", INFER, *binary({**whole, "parameters": {"binary_data_output": True}}, raw)),
        "a version": ("POST", "/v2/models/single/versions/1/infer", *binary(whole, raw)),
        "a type of content": ("POST", INFER, binary(whole, raw)[0], {**binary(whole, raw)[1], "Content-Type": "a/b"}),
        "empty": ("POST", INFER, b"", {}),
        "no JSON": ("POST", INFER, b"{", {}),
        "a list": ("POST", INFER, b"[]", {}),
        "no inputs": ("POST", INFER, b"{}", {}),
        "inputs are empty": ("POST", INFER, b'{"inputs": []}', {}),
        "the input twice": ("POST", INFER, *binary({"inputs": [one, one]}, raw + raw)),
        "no shape": ("POST", INFER, *binary({"inputs": [{**one, "shape": None}]}, raw)),
        "a shape below 0": ("POST", INFER, *binary({"inputs": [{**one, "shape": [-1]}]}, raw)),
        "a shape of more": ("POST", INFER, *binary({"inputs": [{**one, "shape": [2]}]}, raw)),
        "a byte too few": ("POST", INFER, *binary(whole, raw[:-1])),
        "a byte too many": ("POST", INFER, *binary(whole, raw + b"x")),
        "a head beyond the body": ("POST", INFER, *binary(whole, raw, 10**6)),
        "a head of no number": ("POST", INFER, *binary(whole, raw, "x")),
        "a head cut short": ("POST", INFER, *binary(whole, raw, 5)),
        "GET": ("GET", INFER, b"", {}),
        "no such model": ("POST", "/v2/models/nobody/infer", *binary(whole, raw)),
        "no version": ("POST", "/v2/models/single/versions/x/infer", *binary(whole, raw)),
        "metadata of no version": ("GET", "/v2/models/single/versions/9", b"", {}),
        "ready": ("GET", "/v2/models/single/ready", b"", {}),
        "no such model ready": ("GET", "/v2/models/nobody/ready", b"", {}),
        "live": ("GET", "/v2/health/live", b"", {}),
        "nothing": ("GET", "/v2/nothing", b"", {}),
        "index": ("POST", "/v2/repository/index", b'{"ready": true}', {}),
        "all statistics": ("GET", "/v2/models/stats", b"", {}),
    }


# Triton's status where it is not ours. What is wrong with a request is the client's fault, 4xx by RFC 9110; Triton's 500 is not.
THEIRS = dict.fromkeys(("no JSON", "a list", "no inputs", "no shape", "a shape below 0", "a head cut short"), 500)
THEIRS |= {"no version": 404, "no such model ready": 400}
OURS = {**dict.fromkeys(THEIRS, 400), "no such model ready": 404}


def test_requests_by_hand_have_the_same_status(ours: Address, triton: Address, pictures: list[bytes]) -> None:
    for name, case in by_hand(pictures[0]).items():
        (mine, body), (theirs, other) = ask(ours.http, *case), ask(triton.http, *case)
        assert theirs == THEIRS.get(name, mine), f"{name}: {mine} {body!r}, and Triton {theirs} {other!r}"
        if mine >= 400:
            assert mine == OURS.get(name, mine)
            assert json.loads(body).keys() == json.loads(other).keys() == {"error"}


def ask(port: int, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
