"""What all tests share. In: nothing. Out: the repository's folder, a cache that is not the user's, patience."""

from __future__ import annotations

import gc
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import (
    BackboneRecord,
    ClassificationRecord,
    DataRecord,
    Manifest,
    PreprocessingRecord,
    Score,
)
from tellapart.data.dataset import Dataset, gather
from tellapart.data.examples import Example
from tellapart.data.targets import Target
from tellapart.export.assemble import assemble
from tellapart.features.backbone import ReadyBackbone
from tellapart.features.caching import open_cache
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import Silent
from tellapart.workflows.learning.examine import examine

REPOSITORY = Path(__file__).resolve().parents[1]
WALKS = REPOSITORY / "tests" / "walk"
gc.disable()  # until all is imported: what is imported stays, and looking through it again and again costs minutes


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, the fuller ones before: the end is short, and no process waits for another."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow") or WALKS in item.path.parents)
    items.sort(key=lambda item: -slow[item.path])


def pytest_collection_finish() -> None:
    """What was imported is never looked through again for what could be forgotten; what the tests make is."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_sessionfinish() -> None:
    """At its end a process may look again: some libraries count what is left as leaks."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


def lacking(what: str, environment: Mapping[str, str]) -> NoReturn:
    """Skip a test that something is lacking for. Under CI it fails: there everything is to be tested."""
    under_ci = environment.get("CI", "").lower() not in ("", "0", "false")
    (pytest.fail if under_ci else pytest.skip)(what)


@pytest.fixture(scope="session")
def lacks() -> Callable[[str], NoReturn]:
    """Called by a test, or by a fixture of it, that cannot go on: with what is not there, and how to bring it."""
    return lambda what: lacking(what, os.environ)


@pytest.fixture(scope="session")
def clients(repository: Path, lacks: Callable[[str], NoReturn]) -> Path:
    """The interpreter of the environment with clients that others wrote."""
    found = repository / ".venv-clients" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not found.exists():
        lacks("there are no clients of others: `make .venv-clients/.installed` brings them")
    return found


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """A shell starts what runs in the background with Ctrl-C ignored, and every process that a test starts would inherit that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test reads or fills the user's cache: a test that passes only with it would fail on a fresh machine."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TELLAPART_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """Wait for something that must come about. How soon is no matter: only what never comes fails."""

    def wait(there: Callable[[], object], *, seconds: float = 300.0) -> None:
        end = time.monotonic() + seconds
        while not there():
            if time.monotonic() > end:
                pytest.fail(f"it has not come about within {seconds:g} s")
            time.sleep(0.005)

    return wait


SIZE = 16  # pixels, of the tiny network's input


@pytest.fixture(scope="session")
def tiny_network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backbone that needs no torch: its embedding is the mean of red, green and blue in [0, 1]."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(np.array([1 / 255], dtype=np.float32), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path = tmp_path_factory.mktemp("tiny") / "network.onnx"
    save(model, path)
    return path


@pytest.fixture(scope="session")
def tiny_manifest() -> Manifest:
    return Manifest(
        task="classification",
        created="2026-01-01T00:00:00+00:00",
        strategy="probe",
        classes=("blue", "green", "红色"),
        preprocessing=PreprocessingRecord(
            size=SIZE, crop=1.0, interpolation="bilinear", mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)
        ),
        backbone=BackboneRecord(
            name="tiny", embedding=3, weights_source="made here", weights_license="none", weights_fingerprint="0" * 64
        ),
        scores={"accuracy": Score(value=0.9, low=0.8, high=0.95)},
        data=DataRecord(name="colours", fingerprint="1" * 64, n_train=7, n_validation=1, n_test=2),
        versions={"tellapart": "0.1.0"},
        record=ClassificationRecord(temperature=0.5),
    )


@pytest.fixture(scope="session")
def tiny_bytes(tiny_network: Path, tiny_manifest: Manifest) -> bytes:
    """A whole model.onnx: the logit of each class is ten times the mean of its colour."""
    weight = np.array([[0, 0, 10], [0, 10, 0], [10, 0, 0]], dtype=np.float32)
    bias = np.array([0.1, 0.2, 0.3], dtype=np.float32)
    return assemble(tiny_network, weight=weight, bias=bias, manifest=tiny_manifest)


@pytest.fixture(scope="session")
def as_listed() -> Callable[[Mapping[Path, Target]], list[Example]]:
    """Training pictures as a run lists them: of each path what is known of it, its number for a hash."""

    def listed(targets: Mapping[Path, Target]) -> list[Example]:
        return [
            Example(
                path=path,
                target=target,
                split="train",
                group="",
                content_hash=f"{number:032x}",
                width=20,
                height=30,
            )
            for number, (path, target) in enumerate(targets.items())
        ]

    return listed


@pytest.fixture
def tiny_model(tiny_bytes: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_bytes)
    return path


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A folder of plain pictures: 红色/0.png ... blue/2.png, each a little different."""
    folder = tmp_path / "colours"
    for label, colour in (("blue", (0, 0, 250)), ("green", (0, 250, 0)), ("红色", (250, 0, 0))):
        (folder / label).mkdir(parents=True)
        for number in range(3):
            shade = tuple(max(value - 10 * number, 0) for value in colour)
            Image.new("RGB", (20 + number, 30), shade).save(folder / label / f"{number}.png")
    return folder


@pytest.fixture
def dataset(colours: Path) -> Dataset:
    """Those pictures, examined and split."""
    with open_cache() as cache:
        return gather(examine(colours, cache=cache, reporter=Silent()), seed=0)


@pytest.fixture
def backbone(tiny_network: Path, request: pytest.FixtureRequest) -> ReadyBackbone:
    """The tiny network as a backbone; its fingerprint is the test's own, since tests share a cache."""
    return ReadyBackbone(
        name="tiny",
        network=tiny_network,
        weights=tiny_network,
        preprocessing=Preprocessing(size=SIZE),
        embedding=3,
        weights_source="",
        weights_license="",
        fingerprint=request.node.name,
        reused=False,
        seconds=0.0,
    )
