"""The engine that answers says what ONNX Runtime says, or is not taken. In: models, fakes. Out: which engine, and why."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from tellapart.bundle import Manifest, Score, open_model
from tellapart.errors import ModelFileError
from tellapart.manifest import CompressedSide, CompressionRecord, CompressionStep, EngineScore
from tellapart.openvino_session import OpenVinoSession, Refused
from tellapart.runtime import Session
from tellapart.serving import engines
from tellapart.serving.engines import BOUNDS, EngineChoice, EngineName
from tellapart.serving.repository import Repository
from tellapart.serving.versions import read_sources

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


class Other:
    """An engine that is `apart` from ONNX Runtime, in every number of an output."""

    called = "OpenVINO 2026.4"

    def __init__(self, data: bytes, apart: float, lacking: str = "") -> None:
        self._session, self._apart = Session(data, source="the model"), apart
        self.inputs = self._session.inputs
        self.outputs = {name: shape for name, shape in self._session.outputs.items() if name != lacking}

    def run(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[np.float32]]:
        return [array + np.float32(self._apart) for array in self._session.run(images, outputs)]

    tried = run


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch, tiny_bytes: bytes, tiny_manifest: Manifest) -> Any:
    """Put an engine in OpenVINO's place that is so far apart, and so quick; what was said, and who answers."""

    def open_it(
        name: EngineName,
        *,
        apart: float = 0.0,
        share: float = 0.5,
        lacking: str = "",
        manifest: Manifest = tiny_manifest,
    ) -> tuple[bool, list[str]]:
        said: list[str] = []
        monkeypatch.setattr(engines, "OpenVinoSession", lambda data, **_: Other(data, apart, lacking))
        monkeypatch.setattr(engines, "_share_of_time", lambda usual, other, rounds: share)
        monkeypatch.setattr(engines, "_is_installed", lambda: True)
        found = EngineChoice(name=name).open(tiny_bytes, manifest, Path("m.onnx"), said.append)
        return isinstance(found, Other), said

    return open_it


def test_onnx_runtime_answers_where_nothing_else_is_asked_for(given: Any) -> None:
    assert given("onnxruntime") == (False, [])


def test_the_quicker_engine_is_taken_where_it_says_the_same(given: Any) -> None:
    taken, (word,) = given("auto", apart=0.5 * BOUNDS["float32"], share=0.62)
    assert taken
    assert word.startswith(
        "m.onnx is answered by OpenVINO 2026.4 in float32: 0.62 times ONNX Runtime's time, 5e-05 from it"
    )
    assert given("auto", apart=2 * BOUNDS["float32"]) == (False, [])
    assert given("auto", share=0.95) == (False, [])


def test_where_there_is_no_other_engine_none_is_looked_for(
    monkeypatch: pytest.MonkeyPatch, tiny_bytes: bytes, tiny_manifest: Manifest
) -> None:
    monkeypatch.setattr(engines, "_is_installed", lambda: False)
    monkeypatch.setattr(engines, "OpenVinoSession", lambda data, **_: pytest.fail("looked for"))
    assert isinstance(EngineChoice(name="auto").open(tiny_bytes, tiny_manifest, Path("m.onnx"), pytest.fail), Session)


def test_texts_are_left_to_onnx_runtime_without_looking(
    monkeypatch: pytest.MonkeyPatch, tiny_manifest: Manifest
) -> None:
    value = helper.make_tensor_value_info("tokens", TensorProto.INT32, ["N", 2, "L"])
    result = helper.make_tensor_value_info("same", TensorProto.INT32, ["N", 2, "L"])
    graph = helper.make_graph([helper.make_node("Identity", ["tokens"], ["same"])], "texts", [value], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    monkeypatch.setattr(engines, "_is_installed", lambda: True)
    monkeypatch.setattr(engines, "OpenVinoSession", lambda data, **_: pytest.fail("looked for"))
    found = EngineChoice(name="auto").open(model.SerializeToString(), tiny_manifest, Path("m.onnx"), pytest.fail)
    assert isinstance(found, Session)


@pytest.mark.parametrize(
    ("name", "apart", "reason"),
    [
        ("openvino", 0.02, r"is 0\.02 away from ONNX Runtime in float32, and the rule is under 0\.0001"),
        ("openvino-bfloat16", 0.2, r"is 0\.2 away from ONNX Runtime in bfloat16, and the rule is under 0\.05"),
    ],
)
def test_an_engine_that_says_something_else_is_refused(given: Any, name: EngineName, apart: float, reason: str) -> None:
    with pytest.raises(
        ModelFileError, match=rf"m\.onnx is not served: .*{reason}\. Serve it with --engine onnxruntime\."
    ):
        given(name, apart=apart)


def test_bfloat16_may_be_further_away_and_says_how_far(given: Any) -> None:
    taken, (word,) = given("openvino-bfloat16", apart=0.02)
    assert taken
    assert word == "m.onnx is answered by OpenVINO 2026.4 in bfloat16: 0.02 from it on made pictures"


def test_of_whole_numbers_another_is_taken_where_it_was_tested_or_is_named(given: Any, tiny_manifest: Manifest) -> None:
    side = CompressedSide(score=Score(value=0.9), megabytes=1.0, macs=1)
    story = CompressionRecord(of="0" * 64, steps=(CompressionStep(kind="int8", told="made"),), before=side, after=side)
    whole = tiny_manifest.model_copy(update={"compression": story})
    assert given("auto", manifest=whole) == (False, [])
    # Each rounds in its own way: how far they are apart is told, and no bound is kept.
    taken, (word,) = given("openvino", manifest=whole, apart=0.1)
    assert taken
    assert word == "m.onnx is answered by OpenVINO 2026.4 in whole numbers of 8 bits: 0.1 from it on made pictures"
    # Its test by the other engine was as good, or not.
    for value, good in ((0.9, True), (0.899, True), (0.89, False)):
        tested = EngineScore(engine="OpenVINO 2026.4", score=Score(value=value), flipped=1)
        known = whole.model_copy(update={"compression": story.model_copy(update={"by_openvino": tested})})
        taken, words = given("auto", manifest=known, apart=0.02, share=0.7)
        assert taken is good
        assert len(words) == good
        assert given("auto", manifest=known, apart=0.06, share=0.7) == (False, [])
    assert (
        "whole numbers of 8 bits (Accuracy 89.0 % on its test by OpenVINO 2026.4): 0.02"
        in given("openvino", manifest=known, apart=0.02)[1][0]
    )


def test_an_engine_that_lacks_an_output_is_refused(given: Any) -> None:
    with pytest.raises(
        ModelFileError, match=r"cannot be run by --engine openvino: OpenVINO 2026\.4 gives \['embedding'"
    ):
        given("openvino", lacking="probabilities")


def test_an_engine_that_is_not_there_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, tiny_bytes: bytes, tiny_manifest: Manifest
) -> None:
    def missing(data: bytes, **_: Any) -> Any:
        raise Refused('the package openvino is not installed: pip install "tellapart[fast]"')

    monkeypatch.setattr(engines, "OpenVinoSession", missing)
    with pytest.raises(ModelFileError, match=r'not installed: pip install "tellapart\[fast\]"\. Serve it with'):
        EngineChoice(name="openvino").open(tiny_bytes, tiny_manifest, Path("m.onnx"), pytest.fail)


def test_pictures_that_both_are_tried_on_are_not_all_alike(tiny_bytes: bytes) -> None:
    pictures = engines._pictures(Session(tiny_bytes, source="the model"))
    assert {picture.shape for picture in pictures} == {(1, 16, 16, 3)}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


@needs_openvino
def test_openvino_answers_as_onnx_runtime_does(models: Path) -> None:
    said: list[str] = []
    sources = read_sources([str(models / "single")])
    repository = Repository(
        sources, max_pixels=10_000, say=said.append, engine=EngineChoice(name="openvino", threads=1)
    )
    repository.start()
    version = repository.get("single")
    assert isinstance(version.model.session, OpenVinoSession)
    assert any("answered by OpenVINO" in word and "float32" in word for word in said)
    image = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    usual = open_model(models / "single" / "model.onnx").compute(image, version.answering.outputs)
    found = version.run(image)
    assert found.keys() == usual.keys()
    for name, array in usual.items():
        np.testing.assert_allclose(found[name], array, atol=1e-4, rtol=1e-4)
