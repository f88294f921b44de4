"""Which engine was quickest is known again on the same machine, and nowhere else. In: a model, fakes. Out: an engine, a file."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tellapart.bundle import Manifest
from tellapart.openvino_session import OpenVinoSession, Refused
from tellapart.runtime import Session
from tellapart.serving import engines
from tellapart.serving.engines import EngineChoice, remember_quickest
from tellapart.serving.quickest import NAME, Quickest, measured, processor, read_quickest, write_quickest

needs_openvino = pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")


class Other(Session):
    """An engine that says what ONNX Runtime says."""

    called = "OpenVINO 2026.4"

    def tried(self, images: NDArray[np.uint8], outputs: Sequence[str]) -> list[NDArray[Any]]:
        return self.run(images, outputs)


@pytest.fixture
def known(tiny_model: Path) -> Callable[..., Path]:
    """The model with what was measured of it beside it, but for `otherwise`."""

    def put(engine: Any = "openvino", **otherwise: Any) -> Path:
        found = measured(tiny_model.read_bytes(), engine, share=0.5, apart=1e-6)
        write_quickest(tiny_model, found.model_copy(update=otherwise))
        return tiny_model

    return put


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tiny_manifest: Manifest) -> Callable[[Path], tuple[Any, list[str], bool]]:
    """Open by `auto`: who answers, what was said, and whether the engines were timed."""

    def open_it(path: Path) -> tuple[Any, list[str], bool]:
        timed: list[bool] = []
        said: list[str] = []

        def share(usual: Any, other: Any, rounds: int) -> float:
            timed.append(True)
            return 0.95

        monkeypatch.setattr(engines, "OpenVinoSession", lambda data, **_: Other(data, source="the model"))
        monkeypatch.setattr(engines, "_share_of_time", share)
        monkeypatch.setattr(engines, "_is_installed", lambda: True)
        network = EngineChoice(name="auto").open(path.read_bytes(), tiny_manifest, path, said.append)
        return network, said, bool(timed)

    return open_it


def test_what_was_measured_here_is_taken_without_timing(known: Callable[..., Path], opened: Any) -> None:
    network, (word, since), timed = opened(known())
    assert isinstance(network, Other)
    assert not timed
    assert word.endswith(
        "model.onnx is answered by OpenVINO 2026.4 in float32: 0.50 times ONNX Runtime's time, 1e-06 from it on made pictures"
    )
    assert since.startswith("that was measured when ")


def test_where_onnx_runtime_was_quickest_nothing_else_is_opened(
    known: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tiny_manifest: Manifest
) -> None:
    path = known("onnxruntime")
    monkeypatch.setattr(engines, "_is_installed", lambda: True)
    monkeypatch.setattr(engines, "OpenVinoSession", lambda data, **_: pytest.fail("opened"))
    assert isinstance(EngineChoice(name="auto").open(path.read_bytes(), tiny_manifest, path, pytest.fail), Session)


@pytest.mark.parametrize(
    "otherwise",
    [
        {"processor": "another one"},
        {"versions": {"onnxruntime": "1.0"}},
        {"model_sha256": "0" * 64},
    ],
    ids=["processor", "versions", "model"],
)
def test_what_was_measured_elsewhere_is_measured_anew(
    known: Callable[..., Path], opened: Any, otherwise: dict[str, Any]
) -> None:
    network, said, timed = opened(known(**otherwise))
    assert (type(network), said, timed) == (Session, [], True)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"engine": "abacus"}', "0" * 70_000])
def test_a_file_that_is_none_is_as_if_it_were_not_there(
    tiny_model: Path, known: Callable[..., Path], opened: Any, text: str
) -> None:
    known()
    (tiny_model.parent / NAME).write_text(text)
    assert read_quickest(tiny_model, tiny_model.read_bytes()) is None
    assert opened(tiny_model)[2]


def test_an_engine_that_cannot_run_it_after_all_is_not_insisted_on(
    known: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tiny_manifest: Manifest
) -> None:
    def refuse(data: bytes, **_: Any) -> Any:
        raise Refused("it cannot")

    path = known()
    monkeypatch.setattr(engines, "_is_installed", lambda: True)
    monkeypatch.setattr(engines, "OpenVinoSession", refuse)
    assert type(EngineChoice(name="auto").open(path.read_bytes(), tiny_manifest, path, pytest.fail)) is Session


def test_a_folder_that_takes_nothing_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    write_quickest(tmp_path / "file" / "model.onnx", measured(b"", "onnxruntime", share=None, apart=float("inf")))
    assert (tmp_path / "file").read_text() == "no folder"


def test_outputs_of_other_shapes_are_kept_as_json_has_them(tmp_path: Path) -> None:
    found = measured(b"model", "onnxruntime", share=None, apart=float("inf"))
    write_quickest(tmp_path / "model.onnx", found)
    assert json.loads((tmp_path / NAME).read_text())["apart"] is None
    assert read_quickest(tmp_path / "model.onnx", b"model") == found


def test_the_processor_is_called_as_the_system_calls_it(tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    first = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: A Processor 9 @ 2 GHz: fine\nflags\t\t: fpu avx2 avx512f\n"
    told.write_text(f"{first}\nprocessor\t: 1\nmodel name\t: other\n")
    assert processor(told) == "A Processor 9 @ 2 GHz: fine, cpu family 25, model 17, avx2 avx512f"
    (plain := tmp_path / "plain").write_text("model name\t: ARM\n")
    assert processor(plain) == "ARM"
    assert processor(tmp_path / "none")  # what Python knows


@needs_openvino
def test_what_is_remembered_of_a_model_is_found_when_it_is_opened(tiny_model: Path, tiny_manifest: Manifest) -> None:
    remember_quickest(tiny_model)
    found = Quickest.model_validate_json((tiny_model.parent / NAME).read_bytes())
    assert found.versions.keys() == {"onnxruntime", "openvino", "tellapart"}
    assert found.share is not None
    assert found.apart is not None
    assert found.apart < 1e-4
    assert (found.engine == "openvino") == (found.share <= engines.QUICKER)
    assert read_quickest(tiny_model, tiny_model.read_bytes()) == found
    network = EngineChoice(name="auto").open(tiny_model.read_bytes(), tiny_manifest, tiny_model, lambda text: None)
    assert isinstance(network, OpenVinoSession) == (found.engine == "openvino")
