"""A training of texts that is killed and resumed. In: made sentences. Out: the file of one that was left alone, bit for bit."""

from __future__ import annotations

import csv
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from tellapart.reporter import Silent
from tellapart.runs.run import resume_run
from tellapart.settings.reading import make_settings
from tellapart.workflows.train import train

KILLED = """
import os, sys
from tellapart.cli.main import run

def watch(event, values):
    if event == "os.rename" and os.path.basename(os.fspath(values[1])) == sys.argv[1]:
        os.kill(os.getpid(), 9)

sys.addaudithook(watch)
run(sys.argv[2:])
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chance, path = np.random.default_rng(0), tmp_path_factory.mktemp("killed") / "t.csv"
    words = [["warm", "bright"], ["wet", "grey"]]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for number in range(80):
            own = [*(f"w{one}" for one in chance.integers(0, 40, 6)), str(chance.choice(words[number % 2]))]
            rows.writerow([" ".join(chance.permutation(own)), "xy"[number % 2]])
    return path


def without_time(model: Path) -> tuple[bytes, list[tuple[str, str]]]:
    """Its network as bytes, and what it says of itself but for when that was, and the seal over that."""
    network = onnx.load(str(model))
    said = [(one.key, re.sub(r"20\d\d-\d\d-\d\dT[\d:.+]*", "", one.value)) for one in network.metadata_props]
    network.ClearField("metadata_props")
    return network.SerializeToString(), sorted(one for one in said if not re.fullmatch("[0-9a-f]{64}", one[1]))


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["examples.csv", "model.onnx"])
def test_it_ends_in_the_same_file(table: Path, tmp_path: Path, moment: str) -> None:
    settings = make_settings({"data": str(table), "out": str(tmp_path / "alone"), "report": False})
    alone = train(settings, reporter=Silent()).run
    command = [
        sys.executable,
        "-c",
        KILLED,
        moment,
        "train",
        str(table),
        "--out",
        str(tmp_path / "runs"),
        "--no-report",
    ]
    done = subprocess.run(command, env=os.environ, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (run,) = (path for path in (tmp_path / "runs").iterdir() if not path.is_symlink())
    assert not (run / "model.onnx").exists()
    opened = resume_run(run)
    train(opened.settings, reporter=Silent(), run=opened)
    assert without_time(run / "model.onnx") == without_time(alone / "model.onnx")
    assert (run / "predictions.csv").read_bytes() == (alone / "predictions.csv").read_bytes()
    left = [path.name for path in run.rglob("*") if path.name.endswith(".part")]
    assert not left, "nothing half-written stays"
