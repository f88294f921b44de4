"""A real server in a thread, and a client that knows nothing of it. In: the tiny model. Out: Running."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import http.client
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import (
    DIGEST_KEY,
    MANIFEST_KEY,
    AbstentionRecord,
    ClassificationRecord,
    DetectionRecord,
    Manifest,
    Model,
    MultilabelRecord,
    Score,
    open_model,
    seal,
)
from tellapart.errors import PictureError
from tellapart.export.assemble import assemble
from tellapart.preprocessing import load
from tellapart.serving.app import build_app
from tellapart.serving.bodies import Limits
from tellapart.serving.grpc_service import build_grpc
from tellapart.serving.keys import Keys
from tellapart.serving.listener import listen, open_socket
from tellapart.serving.opened import Version
from tellapart.serving.repository import Repository
from tellapart.serving.service import Explain, Service, ToExplain
from tellapart.serving.versions import read_sources

MOST_PIXELS = 1_000_000
PATIENCE = 300.0  # seconds; only what hangs takes as long, on a busy machine too


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Running:
    """A server that answers."""

    http_port: int
    grpc_port: int
    service: Service
    repository: Repository
    stop: Callable[[], None]
    said: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request; a dict goes as JSON, without a Content-Type."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE)
        try:
            data = json.dumps(body).encode() if isinstance(body, dict) else body
            connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Reply(
                status=answer.status,
                headers={key.lower(): value for key, value in answer.getheaders()},
                body=answer.read(),
            )
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = b"", **headers: str) -> Reply:
        return self.ask("POST", path, body, **headers)


Start = Callable[..., Running]


def png(colour: tuple[int, int, int], size: tuple[int, int] = (20, 30)) -> bytes:
    """A plain picture as a file."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    """A picture file's pixels, uint8 [H, W, 3]."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def expected(model: Path, files: list[bytes]) -> np.ndarray:
    """Probabilities [N, K] as `tellapart predict` computes them."""
    opened: Model = open_model(model)
    return opened.run(np.stack([load(data, opened.preprocessing) for data in files]))[0]


@pytest.fixture(scope="session")
def pictures() -> list[bytes]:
    """Files of several sizes whose probabilities are far from 0 and 1."""
    random = np.random.default_rng(3)
    files = []
    for width, height in ((16, 16), (40, 25), (17, 60)):
        array = random.integers(90, 150, (height, width, 3), dtype=np.uint8)
        array[: height // 2] += random.integers(0, 60, 3, dtype=np.uint8)
        file = io.BytesIO()
        Image.fromarray(array).save(file, "PNG")
        files.append(file.getvalue())
    return files


@pytest.fixture(scope="session")
def deciding_bytes(tiny_network: Path, tiny_manifest: Manifest) -> bytes:
    """The tiny model with thresholds: sets at 0.2, and novelty that is the squared distance of the colour from grey."""
    record = AbstentionRecord(
        coverage=0.9,
        threshold=0.2,
        novelty_threshold=1.0,
        calibrated_on=40,
        measured_coverage=Score(value=0.9),
        mean_set_size=1.2,
        known=Score(value=0.95),
    )
    told = ClassificationRecord(temperature=4.0, abstention=record)
    return _assemble(tiny_network, tiny_manifest.model_copy(update={"record": told}))


@pytest.fixture(scope="session")
def several_bytes(tiny_network: Path, tiny_manifest: Manifest) -> bytes:
    """A model that names every colour that is bright, each from a probability of its own on; novelty as above."""
    told = MultilabelRecord(
        scales=(1.0, 1.0, 0.5),
        offsets=(-5.0, -5.0, -2.0),
        thresholds=(0.5, 0.25, 0.75),
        threshold_rule="f1",
        novelty_threshold=1.0,
        calibrated_on=40,
        known=Score(value=0.95),
    )
    scores = {"mean_average_precision": Score(value=0.953, low=0.93, high=0.97), "micro_f1": Score(value=0.9)}
    update = {"task": "multilabel", "record": told, "scores": scores}
    return _assemble(tiny_network, tiny_manifest.model_copy(update=update))


# Of each class one box, as shares of the input's side: left, top, right, bottom.
PLACES = {"blue": (0.25, 0.25, 0.5, 0.5), "green": (0.4, 0.3, 0.9, 0.7), "红色": (0.1, 0.5, 0.6, 1.0)}
BOX_THRESHOLDS = (0.5, 0.25, 0.75)
LEAST = 0.1


def box_manifest(manifest: Manifest, **more: Any) -> Manifest:
    """The manifest of a model that finds each colour, whose pictures are padded."""
    told = DetectionRecord(
        detector="default",
        scales=(1.0, 1.0, 1.0),
        offsets=(0.0, 0.0, 0.0),
        thresholds=BOX_THRESHOLDS,
        threshold_rule="f1",
        calibrated_on=40,
        overlap=0.6,
        most=3,
        least_score=LEAST,
    )
    padded = manifest.preprocessing.model_copy(update={"fit": "pad"})
    update = {"task": "detection", "record": told, "preprocessing": padded, **more}
    return manifest.model_copy(update=update)


@pytest.fixture(scope="session")
def boxes_bytes(tiny_manifest: Manifest) -> bytes:
    """A model that finds each colour at a place of its own, as certainly as the colour is bright; under 0.1 it is no box."""
    scores = {"ap50": Score(value=0.953, low=0.93, high=0.97), "f1": Score(value=0.9)}
    return _colour_finder(box_manifest(tiny_manifest, scores=scores))


@pytest.fixture
def models(tmp_path: Path, deciding_bytes: bytes, tiny_bytes: bytes) -> Path:
    """A repository: `colours` with versions 1 (no thresholds) and 2, labelled; `single`, one file."""
    return _write_models(tmp_path / "models", deciding_bytes, tiny_bytes)


@pytest.fixture(scope="session")
def shared_models(tmp_path_factory: pytest.TempPathFactory, deciding_bytes: bytes, tiny_bytes: bytes) -> Path:
    """The same, for tests that change nothing."""
    return _write_models(tmp_path_factory.mktemp("shared") / "models", deciding_bytes, tiny_bytes)


@pytest.fixture(scope="session")
def shared(shared_models: Path) -> Iterator[Running]:
    """One server for all tests that change nothing."""
    one = _start([str(shared_models)], {})
    yield one
    one.stop()


@pytest.fixture
def start(models: Path) -> Iterator[Start]:
    """Start servers; all are stopped in the end."""
    running: list[Running] = []

    def start_one(*sources: str, **options: Any) -> Running:
        one = _start(list(sources) or [str(models)], options)
        running.append(one)
        return one

    yield start_one
    for one in running:
        one.stop()


@pytest.fixture
def server(start: Start) -> Running:
    return start()


def _assemble(network: Path, manifest: Manifest) -> bytes:
    """The logit of each class is ten times the mean of its colour."""
    novelty = {
        "least_length": np.array([1e-6], dtype=np.float32),
        "centre": np.full(3, 3**-0.5, dtype=np.float32),
        "directions": np.eye(3, dtype=np.float32),
        "scales": np.full(3, 2.0, dtype=np.float32),
        "means": np.zeros((1, 3), dtype=np.float32),
        "residual_scale": np.array([1.0], dtype=np.float32),
    }
    weight = np.array([[0, 0, 10], [0, 10, 0], [10, 0, 0]], dtype=np.float32)
    return assemble(network, weight=weight, bias=np.zeros(3, dtype=np.float32), manifest=manifest, novelty=novelty)


def _colour_finder(manifest: Manifest) -> bytes:
    """The score of a class is the mean of its colour in the padded input, in [0, 1]; outputs as a detector's, by certainty."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {
        "scale": np.array([1 / 255], dtype=np.float32),
        "order": np.array([2, 1, 0], dtype=np.int64),  # blue, green, red
        "most": np.array([3], dtype=np.int64),
        "least": np.array(LEAST, dtype=np.float32),
        "nothing": np.array(0, dtype=np.float32),
        "no_label": np.array(0, dtype=np.int64),
        "last": np.array([2], dtype=np.int64),
        "places": np.array(list(PLACES.values()), dtype=np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["colours"]),
        helper.make_node("Gather", ["colours", "order"], ["by_class"], axis=1),
        helper.make_node("TopK", ["by_class", "most"], ["sorted", "numbers"], axis=1),
        helper.make_node("Greater", ["sorted", "least"], ["there"]),
        helper.make_node("Where", ["there", "sorted", "nothing"], ["scores"]),
        helper.make_node("Where", ["there", "numbers", "no_label"], ["labels"]),
        helper.make_node("Gather", ["places", "numbers"], ["all_boxes"]),
        helper.make_node("Unsqueeze", ["there", "last"], ["there_each"]),
        helper.make_node("Where", ["there_each", "all_boxes", "nothing"], ["boxes"]),
    ]
    size = manifest.preprocessing.size
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", size, size, 3])],
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", 3, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 3]),
            helper.make_tensor_value_info("labels", TensorProto.INT64, ["N", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {MANIFEST_KEY: manifest.model_dump_json(), DIGEST_KEY: "0" * 64})
    return seal(model.SerializeToString())


def _write_models(folder: Path, deciding: bytes, tiny: bytes) -> Path:
    for number, data in (("1", tiny), ("2", deciding)):
        (folder / "colours" / number).mkdir(parents=True)
        (folder / "colours" / number / "model.onnx").write_bytes(data)
    (folder / "colours" / "labels.json").write_text('{"stable": 1, "canary": 2}')
    (folder / "single").mkdir()
    (folder / "single" / "model.onnx").write_bytes(deciding)
    return folder


def _start(sources: list[str], options: dict[str, Any]) -> Running:
    said: list[str] = []
    repository = Repository(
        read_sources(sources), max_pixels=MOST_PIXELS, control=options.get("control", False), say=said.append
    )
    repository.start()
    loop, stop, up = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        service = Service(
            repository,
            threads=options.get("threads", 2),
            max_batch=options.get("max_batch", 4),
            max_delay=0.0,
            queue=options.get("queue", 64),
            max_wait=options.get("max_wait", PATIENCE),
            timeout=options.get("timeout", PATIENCE),
            explain=options.get("explain"),
            accept=options.get("accept", "bytes"),
        )
        limits, keys = options.get("limits", Limits()), Keys(options.get("keys", ()))
        http = open_socket("127.0.0.1", 0)
        grpc, grpc_port = build_grpc(service, limits=limits, keys=keys, address="127.0.0.1:0")
        found.update(service=service, http_port=http.getsockname()[1], grpc_port=grpc_port)
        page = {name: options.get(name) for name in ("hosts", "words", "corrections")}
        app = build_app(service, limits=limits, keys=keys, **page)
        await listen(service, app, http=http, grpc=grpc, grace=options.get("grace", PATIENCE), stop=stop, ready=up.set)

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    assert up.wait(PATIENCE)

    def end() -> None:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
            thread.join(PATIENCE)
            assert not thread.is_alive()
            loop.close()

    return Running(repository=repository, stop=end, said=said, **found)


@contextlib.contextmanager
def full_queue(server: Running) -> Iterator[None]:
    """As many pictures wait in the queue of a server with one thread as may, held up until the end."""
    batcher, begun, gate = server.service.batcher, threading.Event(), threading.Event()

    class Held:
        tiled, many, together, item = False, 1, 1, "picture"

        def prepare(self, picture: Any) -> Any:
            begun.set()
            gate.wait(PATIENCE)
            raise PictureError("held")

        run = prepare

    async def fill() -> None:
        held = Held()
        one = asyncio.create_task(batcher.submit(held, [0], timeout=PATIENCE))
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        await asyncio.gather(one, batcher.submit(held, list(range(batcher.limit)), timeout=PATIENCE))

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        filled = pool.submit(asyncio.run, fill())
        try:
            while batcher.waiting < batcher.limit and not filled.done():
                time.sleep(0.005)
            yield
        finally:
            gate.set()
        filled.result()


@pytest.fixture
def explain() -> Explain:
    """Stands in for a heatmap: names what it was asked for."""

    def explain_one(version: Version, data: bytes, shown: ToExplain) -> bytes:
        place = "" if shown.sides is None else " ".join(["", *(f"{side:.1f}" for side in shown.sides)])
        return f"{version.name} {len(data)} {shown.label}{place}".encode()

    return explain_one


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory, lacks: Callable[[str], NoReturn]) -> Iterator[Any]:
    from .browser import browser, missing

    if what := missing():
        lacks(what)
    with browser(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def green(tmp_path: Path) -> Path:
    path = tmp_path / "green.png"
    path.write_bytes(png((90, 140, 90)))
    return path
