"""A model that reads large pictures in tiles, asked in every way. In: a detector by hand. Out: one answer a picture, everywhere."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import tellapart
from tellapart.errors import PictureError
from tellapart.serving.batches import BatchTimes
from tellapart.serving.batching import Batcher
from tellapart.serving.refusals import Late
from tests.answers.made_detector import CLASSES, SIZE, detector_bytes, detector_manifest, draw_things

from .conftest import PATIENCE, Running, Start
from .test_plain import send

BLUE, RED = CLASSES
THINGS = [(RED, 300, 200, 312, 212), (RED, 10, 47, 22, 59), (BLUE, 105, 90, 117, 102)]


@pytest.fixture
def server(start: Start, tmp_path: Path) -> Running:
    path = tmp_path / "model.onnx"
    path.write_bytes(detector_bytes(detector_manifest((0.5, 0.5), fit="tile", overlap=16)))
    return start(f"finds={path}")


def told(boxes: Any, labels: Any) -> set[tuple[str, int, int, int, int]]:
    found = zip(labels, np.round(np.array(boxes)).astype(int).tolist(), strict=True)
    return {(str(label), left, top, right, bottom) for label, (left, top, right, bottom) in found}


def test_every_protocol_gives_one_answer_a_picture(server: Running, tmp_path: Path) -> None:
    large = draw_things(tmp_path / "large.png", (400, 300), THINGS)
    small = draw_things(tmp_path / "small.png", (40, 30), [(BLUE, 5, 5, 20, 20)])
    wanted = [set(THINGS), {(BLUE, 5, 5, 20, 20)}]
    local = tellapart.load(server.repository.model("finds").versions[1].model.path).predict([large, small])
    assert [told(*pair) for pair in zip(local.boxes, local.labels, strict=True)] == wanted

    with tellapart.Client(f"http://127.0.0.1:{server.http_port}") as client:
        found = client.predict([large, small])
    assert [told(*pair) for pair in zip(found.boxes, found.labels, strict=True)] == wanted

    pictures = [{"b64": base64.b64encode(path.read_bytes()).decode()} for path in (large, small)]
    body = {"instances": pictures, "signature_name": "decisions"}
    rows = server.ask("POST", "/v1/models/finds:predict", body).json["predictions"]
    for row, one in zip(rows, wanted, strict=True):
        count = int(row["num_detections"])
        assert told(row["boxes"][:count], row["labels"][:count]) == one

    pixels = np.asarray(Image.open(large))
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, *pixels.shape], "data": pixels.ravel().tolist()}
    outputs = {
        one["name"]: one for one in server.ask("POST", "/v2/models/finds/infer", {"inputs": [tensor]}).json["outputs"]
    }
    assert outputs["num_detections"]["data"] == [3]
    corners = np.array(outputs["detection_boxes"]["data"]).reshape(-1, 4)[:, [1, 0, 3, 2]] * (400, 300, 400, 300)
    assert {tuple(one) for one in np.round(corners).astype(int).tolist()} == {one[1:] for one in THINGS}


def test_a_ready_input_is_one_tile_and_what_cannot_be_read_is_told(server: Running, tmp_path: Path) -> None:
    ready = np.asarray(Image.open(draw_things(tmp_path / "a.png", (SIZE, SIZE), [(RED, 8, 16, 24, 32)])))
    body = {"instances": [ready.tolist()], "signature_name": "prepared"}
    (row,) = server.ask("POST", "/v1/models/finds:predict", body).json["predictions"]
    np.testing.assert_allclose(row["detection_boxes"][0], [0.25, 0.125, 0.5, 0.375])
    wrong = server.ask(
        "POST", "/v1/models/finds:predict", {"instances": [ready[:10].tolist()], "signature_name": "prepared"}
    )
    assert "a prepared picture of 64 x 10; this network takes 64 x 64" in wrong.json["error"]
    answer = send(server, "/predict", [("a.txt", b"nothing"), ("a.png", (tmp_path / "a.png").read_bytes())])
    assert [one.get("error") for one in json.loads(answer.body)["predictions"]] == [
        "not a picture in a known format",
        None,
    ]


class Tiled:
    """A picture is how many batches of tiles it has; after each, so many seconds have gone by."""

    tiled, many, together, item = True, 1, 1, "picture"

    def __init__(self, clock: list[float]) -> None:
        self.clock, self.ran = clock, 0

    def prepare(self, picture: int) -> tuple[NDArray[np.uint8], None]:
        raise AssertionError("a picture in tiles is prepared by itself")

    def run(self, inputs: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        raise AssertionError("a picture in tiles is run by itself")

    def run_tiles(self, picture: int, check: Any) -> tuple[dict[str, NDArray[Any]], str]:
        if picture < 0:
            raise PictureError("no picture")
        for _ in range(picture):
            check()
            self.ran += 1
            self.clock[0] += 1.0
        return {"batches": np.array(picture)}, f"beside {picture}"


def test_a_large_picture_ends_with_its_deadline_and_others_do_not() -> None:
    clock, seen = [0.0], list[BatchTimes]()
    network = Tiled(clock)

    async def main() -> None:
        one = Batcher(
            threads=1,
            max_batch=8,
            max_delay=0,
            queue=10,
            observe=lambda _, times: seen.append(times),
            now=lambda: clock[0],
        )
        try:
            with pytest.raises(Late, match="the deadline passed"):
                await one.submit(network, [400], timeout=PATIENCE)
            assert network.ran == PATIENCE + 1
            found = await one.submit(network, [2, -1, 1], timeout=PATIENCE)
            assert [None if row is None else int(row["batches"]) for row in found.rows] == [2, None, 1]
            assert found.beside == ("beside 2", None, "beside 1")
            assert found.errors == ("", "no picture", "")
        finally:
            await one.close()

    asyncio.run(main())
    assert sum(times.pictures for times in seen) == 2
    assert sum(times.running for times in seen) == 3.0
