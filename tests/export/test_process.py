"""Processes of tools: what they answer, and how they fail. In: a small format in our own Python. Out: arrays, messages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tellapart.errors import ExportError, StorageError
from tellapart.export.plain import Shape, plain
from tellapart.export.process import tool_process
from tellapart.export.table import OURS, ExportStep
from tellapart.export.tools import Environment, environment
from tellapart.reporter import Silent

FORMAT = """
import os, time
import numpy as np

print("what a library prints")

def convert(source, target, options):
    if options.get("fails") == "memory":
        os.kill(os.getpid(), 9)
    if options.get("fails") == "exit":
        raise SystemExit("a converter that exits")
    if options.get("fails") == "disk":
        raise OSError(28, "No space left on device")
    if options.get("fails") == "package":
        import a_package_that_nobody_has
    if options.get("fails") == "hangs":
        time.sleep(600)
    target.write_bytes(source.read_bytes())
    return {"left out": 1}

def load(path, options):
    # It takes two pictures at once, and says so where it gets more.
    def compute(images):
        assert len(images) <= 2
        return {"mean": images.mean((1, 2, 3)), "count": np.full(len(images), len(images))}
    return compute
"""


@pytest.fixture
def ours() -> Environment:
    return environment(OURS, folder=None, reporter=Silent())


@pytest.fixture
def step(tmp_path: Path) -> ExportStep:
    (tmp_path / "format.py").write_text(FORMAT)
    return ExportStep(tool=OURS, code=str(tmp_path / "format"))


def test_a_process_answers_as_many_pictures_at_once_as_its_file_takes(
    tmp_path: Path, ours: Environment, step: ExportStep
) -> None:
    (tmp_path / "source").write_bytes(b"abc")
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 3), dtype=np.uint8)
    with tool_process(step, ours, tmp_path) as process:
        assert process.convert(tmp_path / "source", tmp_path / "target", {}) == {"left out": 1}
        process.load(tmp_path / "target", {"batch": 2})
        found = process.compute(images)
        assert min(process.milliseconds(images, at_once=4)) > 0
    np.testing.assert_allclose(found["mean"], images.mean((1, 2, 3)))
    assert found["count"].tolist() == [2, 2, 2, 2, 1]
    assert (tmp_path / "target").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        (
            "memory",
            rf"^{OURS} failed at converting: the process was ended by the system or took too long.*Run the command again",
        ),
        ("exit", rf"^{OURS} failed at converting: SystemExit: a converter that exits\. Choose another format"),
        (
            "package",
            rf"^the tool {OURS} lacks a package \(No module named 'a_package_that_nobody_has'\)\. Clear the cache",
        ),
    ],
)
def test_what_fails_is_told(tmp_path: Path, ours: Environment, step: ExportStep, fails: str, says: str) -> None:
    with tool_process(step, ours, tmp_path) as process, pytest.raises(ExportError, match=says):
        process.convert(tmp_path / "format.py", tmp_path / "target", {"fails": fails})
    assert not (tmp_path / "target").exists()


def test_a_full_disk_is_one_of_storage(tmp_path: Path, ours: Environment, step: ExportStep) -> None:
    with (
        tool_process(step, ours, tmp_path) as process,
        pytest.raises(StorageError, match=r"the disk is full\. Free some space"),
    ):
        process.convert(tmp_path / "format.py", tmp_path / "target", {"fails": "disk"})


def test_a_process_that_ends_where_nothing_can_be_written_says_so(
    tmp_path: Path, ours: Environment, step: ExportStep
) -> None:
    with (
        tool_process(step, ours, tmp_path, free=lambda folder: 4096) as process,
        pytest.raises(StorageError, match=rf"^cannot use {tmp_path}: the disk is full\. Free some space"),
    ):
        process.convert(tmp_path / "format.py", tmp_path / "target", {"fails": "memory"})


def test_what_hangs_is_ended(tmp_path: Path, ours: Environment, step: ExportStep) -> None:
    with tool_process(step, ours, tmp_path, patience=3) as process, pytest.raises(ExportError, match="took too long"):
        process.convert(tmp_path / "format.py", tmp_path / "target", {"fails": "hangs"})


def test_a_format_whose_file_is_broken_does_not_start(tmp_path: Path, ours: Environment) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    with (
        pytest.raises(ExportError, match=r"failed at starting: ZeroDivisionError: division by zero\."),
        tool_process(ExportStep(tool=OURS, code=str(tmp_path / "broken")), ours, tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    "code",
    [
        "onnx_runtime",
        "openvino_ir",
        pytest.param("torchscript", marks=pytest.mark.slow),
        pytest.param("torch_program", marks=pytest.mark.long),
    ],
)
def test_formats_of_our_own_python_say_what_the_model_says(
    tmp_path: Path, tiny_bytes: bytes, ours: Environment, code: str
) -> None:
    source = tmp_path / "graph.onnx"
    source.write_bytes(plain(tiny_bytes, Shape(size=16, simple=True)))
    images = np.random.default_rng(2).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tiny_bytes, providers=["CPUExecutionProvider"])
    expected = dict(
        zip(("probabilities", "embedding"), session.run(["probabilities", "embedding"], {"image": images}), strict=True)
    )
    step, options = (
        ExportStep(tool=OURS, code=code),
        {
            "input": "image",
            "type": "uint8",
            "shape": [1, 16, 16, 3],
            "free": {"0": ["N", 4096]},
            "batch": None,
        },
    )
    made = tmp_path / ("made.xml" if code == "openvino_ir" else "made.pt2")
    with tool_process(step, ours, tmp_path) as process:
        process.convert(source, made, options)
    with tool_process(step, ours, tmp_path) as process:
        process.load(made, options)
        found = process.compute(images)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5)


def test_a_worker_never_loads_pickles(tmp_path: Path, ours: Environment, step: ExportStep) -> None:
    path = tmp_path / "inputs.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with tool_process(step, ours, tmp_path) as process:
        process.load(tmp_path / "nothing", {})
        with pytest.raises(ExportError, match="allow_pickle"):
            process._ask({"do": "run", "inputs": str(path), "folder": str(tmp_path)}, "running")
