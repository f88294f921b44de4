"""What may happen to a cluster: nothing is lost, and nothing is done twice. In: several nodes on one machine. Out: same results."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tellapart.answers.items import expand
from tellapart.answers.plain_rows import plain_row
from tellapart.answers.predictor import load_predictor

pytestmark = pytest.mark.ray
UNITS = 10
SQUARES = [[number, number * number] for number in range(UNITS)]


@pytest.fixture(scope="module")
def came(
    ray_environment: Mapping[str, str], tiny_bytes: bytes, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """What came of each disturbance."""
    folder, generator = tmp_path_factory.mktemp("faults"), np.random.default_rng(0)
    for label in ("a", "b"):
        (folder / "pictures" / label).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "pictures" / label / f"{number}.png")
    (folder / "shards").mkdir()
    (folder / "pictures" / "a" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "pictures" / "b" / "copy.png").write_bytes((folder / "pictures" / "a" / "0.png").read_bytes())
    (folder / "model.onnx").write_bytes(tiny_bytes)
    for number in range(30):
        with tarfile.open(folder / "shards" / f"{number:02d}.tar", "w") as archive:
            for path in sorted((folder / "pictures" / "a").iterdir()):
                archive.add(path, f"{number}-{path.name}")
    script = Path(__file__).with_name("several_nodes.py")
    ended = subprocess.run(
        [sys.executable, script, folder], env=ray_environment, capture_output=True, text=True, timeout=3000
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    found: dict[str, Any] = {"folder": folder}
    for line in ended.stdout.splitlines():
        found |= json.loads(line)
    return found


def test_three_machines_answer(came: dict[str, Any]) -> None:
    assert came["connected"] == [3, 3]


@pytest.mark.parametrize("fault", ["undisturbed", "worker_killed", "one_is_slow"])
def test_the_result_is_that_of_an_undisturbed_cluster(fault: str, came: dict[str, Any]) -> None:
    assert sorted(came[fault]) == SQUARES


def test_a_lost_machine_loses_nothing(came: dict[str, Any]) -> None:
    assert sorted(came["node_lost"]) == [[number, number * number] for number in range(3 * UNITS)]


def test_a_full_object_store_loses_nothing(came: dict[str, Any]) -> None:
    assert came["full_store"] == {str(number): [number, number] for number in range(UNITS)}


def test_what_ends_every_worker_is_told(came: dict[str, Any]) -> None:
    assert came["always_killed"].startswith("MachineError: 4 workers of Ray ended over part 4 of 10 (")
    assert came["always_killed"].endswith("See that its machines have memory enough; what is done is kept.")


def test_an_error_of_ours_comes_as_it_is(came: dict[str, Any]) -> None:
    assert came["refused"] == "DataError: four cannot be done. Leave it out."


def test_the_audit_is_that_of_one_machine(came: dict[str, Any]) -> None:
    assert came["audit_there"] == came["audit_here"]
    assert len(came["audit_here"]["unreadable"]) == 1
    assert len(came["audit_here"]["exact_copies"]) == 1


def test_a_killed_caller_is_gone_on_with_to_the_rows_of_one_machine(came: dict[str, Any]) -> None:
    folder, told = came["folder"], came["predicted"]
    assert (told["parts"], told["code"]) == (30, 0), told
    assert told["left"] >= 1
    index = json.loads((folder / "answers" / "predictions.json").read_text())
    rows = [row for part in index["parts"] for row in pq.read_table(folder / "answers" / part["file"]).to_pylist()]
    predictor = load_predictor(folder / "model.onnx")
    answers = predictor.stream(expand([str(folder / "shards")]))
    assert rows == [json.loads(json.dumps(plain_row(one, predictor.answering, top=1))) for one in answers]
    assert f"{told['left']:,} of them by an earlier call" in told["said"]
