"""Whatever comes in, an answer or a refusal goes out. In: made-up requests. Out: never another exception, never a 500."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tellapart.errors import TellapartError
from tellapart.serving.bodies import read_json
from tellapart.serving.inference_protocol import read_infer
from tellapart.serving.tfserving import read_classify, read_predict

from .conftest import Running, png

PNG = png((1, 2, 3))
WORDS = st.sampled_from(
    ["image", "b64", "instances", "inputs", "examples", "signature_name", "prepared", "name", "shape", "data", "datatype",
     "BYTES", "UINT8", "parameters", "binary_data_size", "outputs", "timeout", "classification", "aGFsbG8=", ""]
)  # fmt: skip
LEAVES = WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=20
)
OBJECTS = st.dictionaries(WORDS, VALUES, max_size=5)
TENSORS = st.fixed_dictionaries(
    {"name": st.just("image"), "datatype": st.sampled_from(["BYTES", "UINT8", "FP32"])},
    optional={
        "shape": st.lists(st.integers(-1, 5) | st.just(2**31 - 1), max_size=5),
        "data": VALUES,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-1, 40)}),
    },
)
USUAL = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refuses(read: Any, *arguments: Any) -> None:
    said = "it was taken"
    try:
        read(*arguments)
    except TellapartError as refusal:
        said = str(refusal)
    assert 10 < len(said) < 600


@USUAL
@given(OBJECTS)
def test_tensorflow_servings_requests(body: dict[str, Any]) -> None:
    refuses(read_predict, body)
    refuses(read_classify, body)


@USUAL
@given(st.lists(TENSORS, max_size=2), OBJECTS, st.binary(max_size=40), st.integers(-5, 5) | st.none())
def test_inference_requests(inputs: list[Any], further: dict[str, Any], raw: bytes, wrong: int | None) -> None:
    head = json.dumps({**further, "inputs": inputs}).encode()
    refuses(read_infer, head + raw, None if wrong is None else str(len(head) + wrong))


@USUAL
@given(st.binary(max_size=60))
def test_bytes_instead_of_json(body: bytes) -> None:
    refuses(read_json, body)


@pytest.mark.slow
@settings(USUAL, max_examples=60)
@given(st.integers(0, len(PNG)), st.binary(max_size=20), st.integers(0, len(PNG)))
def test_damaged_files_by_every_way(shared: Running, at: int, put: bytes, end: int) -> None:
    damaged = PNG[:at] + put + PNG[at + len(put) : end]
    raw = struct.pack("<I", len(damaged)) + damaged
    head = json.dumps(
        {"inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(raw)}}]}
    ).encode()
    plain = shared.post("/predict?model=single", damaged)
    infer = shared.post("/v2/models/single/infer", head + raw, Inference_Header_Content_Length=str(len(head)))
    assert plain.status == infer.status
    assert plain.status in (200, 400)
