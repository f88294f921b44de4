"""From a folder of masks to a served one. In: pictures of discs and squares. Out: the same mask everywhere, explained and
reported.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tellapart
from tellapart.cli.main import execute
from tellapart.data.examples_csv import read_examples
from tellapart.data.masks import read_mask
from tellapart.data.targets import MaskFile
from tests.serving.conftest import _start
from tests.serving.test_plain import send
from tests.tasks.segmentation.made_pictures import CLASSES, made_folder
from tests.tasks.segmentation.quick import probe_quickly

pytestmark = pytest.mark.slow


def png(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image)


def test_from_a_folder_to_a_served_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe_quickly(monkeypatch, 200)
    pictures = made_folder(tmp_path / "data")
    result = tellapart.train(pictures, out=tmp_path / "runs", strategy="probe", settings={"network": {"size": 64}})
    examples = read_examples(result.run / "examples.csv", MaskFile)
    test = next(one for one in examples if one.split == "test")

    # The command line writes masks and overlays; the masks are those that were tested.
    masks, seen = tmp_path / "masks", tmp_path / "seen"
    assert execute(["predict", str(result.run), str(test.path), "--masks", str(masks), "--overlays", str(seen)]) == 0
    written = png((masks / f"{test.path.stem}.png").read_bytes())
    lines = [json.loads(line) for line in (result.run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    (line,) = [one for one in lines if one["path"] == str(test.path)]
    assert (written != png(base64.b64decode(line["answer"]))).mean() < 0.002
    assert isinstance(test.target, MaskFile)
    np.testing.assert_array_equal(png(base64.b64decode(line["truth"])), read_mask(test.target, CLASSES))
    assert (seen / f"{test.path.stem}.png").is_file()

    # So is what a server says, and a client of it.
    server = _start([f"masks={result.model}"], {})
    try:
        (row,) = send(server, "/predict", [("a.png", test.path.read_bytes())]).json["predictions"]
        with tellapart.Client(f"http://127.0.0.1:{server.http_port}") as client:
            there = client.predict([test.path])
    finally:
        server.stop()
    np.testing.assert_array_equal(png(base64.b64decode(row["mask"])), written)
    np.testing.assert_array_equal(there.masks[0], written)

    # Why it says so, by gradients, since the run's weights are there.
    assert execute(["explain", str(result.run), str(test.path), "--out", str(tmp_path / "why"), "--quiet"]) == 0
    heat = np.load(tmp_path / "why" / f"{test.path.stem}.gradcam.npy")
    assert heat.max() in (0.0, 1.0)
    assert np.load(tmp_path / "why" / f"{test.path.stem}.uncertainty.npy").shape == (64, 72)

    # And the report is there in the other language, too.
    assert execute(["report", str(result.run), "--lang", "zh", "--out", str(tmp_path / "zh.html")]) == 0
    assert "值得复查的掩码" in (tmp_path / "zh.html").read_text(encoding="utf-8")
