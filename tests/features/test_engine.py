"""Which engine embeds. In: fakes of the package openvino, a tiny network. Out: an engine, and a word where it is another."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.features.backbone import ReadyBackbone
from tellapart.features.engine import (
    MANY,
    EngineChoice,
    OnnxEngine,
    choose_engine,
    engine_called,
    open_engine,
    settle_engine,
)
from tellapart.features.openvino_engine import OpenVinoEngine
from tellapart.openvino_session import Precision, Refused
from tellapart.preprocessing import Preprocessing

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


class Request:
    """Gives the mean colour, always in the same memory, as OpenVINO's requests do."""

    def __init__(self, shape: tuple[int, ...] | None) -> None:
        self._shape = shape
        self._memory: NDArray[np.float32] = np.zeros((64, 3), dtype=np.float32)

    def infer(self, inputs: Sequence[NDArray[np.uint8]]) -> Mapping[str, NDArray[np.float32]]:
        (images,) = inputs
        if self._shape is not None:
            return {"embedding": np.zeros(self._shape, dtype=np.float32)}
        given = self._memory[: len(images)]
        given[:] = images.mean(axis=(1, 2))
        return {"embedding": given}


class FakeCore:
    """A processor: what it is able to do, which graphs it refuses, what it was told."""

    def __init__(self, able: tuple[str, ...], refusal: str, shape: tuple[int, ...] | None) -> None:
        self._able, self._refusal, self._shape = able, refusal, shape
        self.hints: list[Mapping[str, Any]] = []

    def get_property(self, device: str, name: str) -> tuple[str, ...]:
        assert (device, name) == ("CPU", "OPTIMIZATION_CAPABILITIES")
        return self._able

    def compile_model(self, network: str, device: str, hints: Mapping[str, Any]) -> Any:
        assert Path(network).exists()
        assert device == "CPU"
        if self._refusal:
            raise RuntimeError(self._refusal)
        self.hints.append(hints)
        return SimpleNamespace(create_infer_request=lambda: Request(self._shape), inputs=(), outputs=())


def package(
    version: str = "2026.4.1-20000-abc",
    *,
    able: tuple[str, ...] = ("FP32", "BF16"),
    refusal: str = "",
    shape: tuple[int, ...] | None = None,
) -> Any:
    core = FakeCore(able, refusal, shape)
    return SimpleNamespace(__version__=version, Core=lambda: core, core=core)


def raising(error: Exception) -> Callable[[str], Any]:
    def find(_: str) -> Any:
        raise error

    return find


@pytest.fixture
def backbone(tiny_network: Path) -> ReadyBackbone:
    return ReadyBackbone(
        name="tiny",
        network=tiny_network,
        weights=tiny_network,
        preprocessing=Preprocessing(size=16),
        embedding=3,
        weights_source="",
        weights_license="",
        fingerprint="tiny",
        reused=False,
        seconds=0.0,
    )


@pytest.fixture
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize(("asked", "found"), [("auto", "auto"), ("onnxruntime", "onnxruntime")])
def test_nothing_is_imported_unless_another_is_asked_for(asked: EngineChoice, found: str) -> None:
    words: list[str] = []
    chosen = choose_engine(asked, "cpu", warn=words.append, find=raising(AssertionError("nobody asked for it")))
    assert (chosen, words) == (found, [])
    assert choose_engine(asked, "cuda", warn=words.append, find=raising(AssertionError("no"))) == "onnxruntime"


@pytest.mark.parametrize(
    ("pictures", "find", "engine"),
    [
        (MANY, lambda _: package(), "openvino-bfloat16"),
        (MANY - 1, raising(AssertionError("too few for another")), "onnxruntime"),
        (MANY, lambda _: package(able=("FP32",)), "onnxruntime"),
        (MANY, lambda _: package("2024.6.0"), "onnxruntime"),
        (MANY, raising(ModuleNotFoundError("No module named 'openvino'", name="openvino")), "onnxruntime"),
        (MANY, raising(OSError("libtbb.so.12: no such file")), "onnxruntime"),
    ],
)
def test_many_pictures_are_embedded_by_the_quicker_engine(
    pictures: int, find: Callable[[str], Any], engine: str
) -> None:
    assert settle_engine("auto", pictures, find=find) == engine
    for told in ("onnxruntime", "openvino", "openvino-bfloat16"):
        assert settle_engine(told, pictures, find=raising(AssertionError("it was told"))) == told


@pytest.mark.parametrize("asked", ["openvino", "openvino-bfloat16"])
def test_openvino_is_taken_where_it_is_asked_for_and_there(asked: EngineChoice) -> None:
    words: list[str] = []
    assert choose_engine(asked, "cpu", warn=words.append, find=lambda _: package()) == asked
    assert words == []


@pytest.mark.parametrize(
    ("asked", "find", "reason"),
    [
        (
            "openvino",
            raising(ModuleNotFoundError("No module named 'openvino'", name="openvino")),
            'the package openvino is not installed: pip install "tellapart[fast]"',
        ),
        ("openvino", raising(OSError("libtbb.so.12: no such file")), "cannot be loaded (libtbb.so.12: no such file)"),
        (
            "openvino",
            raising(ImportError("libopenvino.so.2640: cannot open shared object file")),
            "is there and cannot be loaded (libopenvino.so.2640: cannot open shared object file): pip install --force-reinstall",
        ),
        (
            "openvino",
            raising(ModuleNotFoundError("No module named 'openvino._pyopenvino'", name="openvino._pyopenvino")),
            "is there and cannot be loaded (No module named 'openvino._pyopenvino')",
        ),
        ("openvino", lambda _: package("2024.6.0"), "OpenVINO 2024.6.0 is older than 2025.0: pip install --upgrade"),
        ("openvino", lambda _: SimpleNamespace(), "as openvino tells no version of OpenVINO (none)"),
        ("openvino", lambda _: SimpleNamespace(__version__="main"), "as openvino tells no version of OpenVINO (main)"),
        ("openvino", lambda _: SimpleNamespace(__version__="2026.4"), "OpenVINO 2026.4 finds no processor it knows"),
        (
            "openvino-bfloat16",
            lambda _: package(able=("FP32", "INT8")),
            "this processor has no instructions for bfloat16",
        ),
    ],
)
def test_what_is_not_to_be_had_is_told_and_onnx_runtime_taken(
    asked: EngineChoice, find: Callable[[str], Any], reason: str
) -> None:
    words: list[str] = []
    assert choose_engine(asked, "cpu", warn=words.append, find=find) == "onnxruntime"
    (word,) = words
    assert word.startswith(f"--engine {asked} is not to be had: ")
    assert reason in word
    assert word.endswith("ONNX Runtime computes the embeddings, in float32.")


def test_float32_needs_no_instructions_for_bfloat16() -> None:
    words: list[str] = []
    assert choose_engine("openvino", "cpu", warn=words.append, find=lambda _: package(able=("FP32",))) == "openvino"
    assert words == []


def test_an_engine_of_the_cpu_is_not_for_a_gpu() -> None:
    words: list[str] = []
    assert choose_engine("openvino", "cuda", warn=words.append, find=lambda _: package()) == "onnxruntime"
    assert words == ["--engine openvino is for the CPU; the network runs on cuda. Give --device cpu to have it."]


@pytest.mark.parametrize(("precision", "hint"), [("float32", "f32"), ("bfloat16", "bf16")])
def test_the_precision_is_told_and_named(
    backbone: ReadyBackbone, images: NDArray[np.uint8], precision: Precision, hint: str
) -> None:
    made = package()
    engine = OpenVinoEngine(backbone.network, precision=precision, size=16, find=lambda _: made)
    assert engine.name == f"openvino-2026.4-{precision}"
    assert made.core.hints[0]["INFERENCE_PRECISION_HINT"] == hint
    assert made.core.hints[0]["NUM_STREAMS"] == engine.workers
    np.testing.assert_allclose(engine.embed(images), images.mean(axis=(1, 2)), rtol=1e-6)


def test_an_embedding_is_not_overwritten_by_the_next(backbone: ReadyBackbone, images: NDArray[np.uint8]) -> None:
    engine = OpenVinoEngine(backbone.network, precision="float32", size=16, find=lambda _: package())
    first = engine.embed(images)
    kept = first.copy()
    engine.embed(255 - images)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (package(refusal="Unsupported operation\n  of type: Nobody.Knows"), "operation of type: Nobody.Knows"),
        (package(shape=(1, 3, 7, 7)), "gives (1, 3, 7, 7) of one picture, not one vector"),
    ],
)
def test_a_network_that_is_refused_is_embedded_by_onnx_runtime(backbone: ReadyBackbone, made: Any, reason: str) -> None:
    words: list[str] = []
    engine = open_engine(backbone, "cpu", "openvino", warn=words.append, find=lambda _: made)
    assert isinstance(engine, OnnxEngine)
    assert engine.name == "onnxruntime-float32"
    (word,) = words
    assert word.startswith("tiny is embedded by ONNX Runtime, in float32, not by openvino: OpenVINO 2026.4.1")
    assert reason in word


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        (None, "onnxruntime"),
        ("onnxruntime-float32", "onnxruntime"),
        ("torch-cuda-float16", "onnxruntime"),
        ("openvino-2026.4-float32", "openvino"),
        ("openvino-2026.4-bfloat16", "openvino-bfloat16"),
    ],
)
def test_a_record_tells_which_choice_it_was(name: str | None, choice: str) -> None:
    assert engine_called(name) == choice


def test_a_larger_network_is_brought_more_pictures_at_once(backbone: ReadyBackbone, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(backbone.network)
    model.doc_string = "x" * 2**25  # as many bytes as weights would take
    onnx.save(model, tmp_path / "large.onnx")
    batches = [
        OnnxEngine(replace(backbone, network=path)).batch for path in (backbone.network, tmp_path / "large.onnx")
    ]
    assert batches == [2, 8]


@needs_openvino
def test_openvino_gives_what_onnx_runtime_gives(backbone: ReadyBackbone, images: NDArray[np.uint8]) -> None:
    words: list[str] = []
    engine = open_engine(backbone, "cpu", "openvino", warn=words.append)
    assert words == []
    assert isinstance(engine, OpenVinoEngine)
    np.testing.assert_allclose(engine.embed(images), OnnxEngine(backbone).embed(images), rtol=1e-5)


@needs_openvino
def test_openvino_itself_refuses_a_graph_that_it_does_not_know(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, save

    value = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 16, 16, 3])
    result = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])
    graph = helper.make_graph(
        [helper.make_node("Unheard", ["image"], ["embedding"], domain="nobody")], "odd", [value], [result]
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("nobody", 1)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "odd.onnx")
    with pytest.raises(Refused, match="cannot run it"):
        OpenVinoEngine(tmp_path / "odd.onnx", precision="float32", size=16)


@needs_openvino
def test_nobody_is_told_that_openvino_is_used(tmp_path: Path) -> None:
    code = (
        "import sys; from tellapart.openvino_session import load_openvino;"
        "load_openvino('float32'); print('openvino' in sys.modules, 'openvino_telemetry' in sys.modules)"
    )
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.split() == ["True", "False"]
    assert list(tmp_path.iterdir()) == []
