"""A machine's very first training waits for nothing that it does not need. In: digits, an empty cache. Out: a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tellapart.models.catalog import DEFAULT
from tellapart.models.kept_graph import GRAPHS, graph_file


def first_training(trained_run: Any, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    arguments = [
        "train",
        trained_run.pictures,
        "--out",
        folder / "runs",
        "--strategy",
        "probe",
        "--no-report",
        "--json",
    ]
    return subprocess.run(
        [sys.executable, "-m", "tellapart", *map(str, arguments)],
        env={**os.environ, "TELLAPART_CACHE": str(folder / "cache"), **environment},
        capture_output=True,
        text=True,
    )


def test_it_needs_no_pytorch_in_any_of_its_processes(trained_run: Any, tmp_path: Path) -> None:
    for name in ("torch", "timm", "torchvision"):
        (tmp_path / "without").mkdir(exist_ok=True)
        (tmp_path / "without" / f"{name}.py").write_text(f"raise RuntimeError({name!r} + ' is imported')\n")
    path = os.pathsep.join(filter(None, [str(tmp_path / "without"), os.environ.get("PYTHONPATH", "")]))
    done = first_training(trained_run, tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "is imported" not in done.stderr
    answer = json.loads(done.stdout)
    # The same as with the network that the other tests' cache holds.
    assert answer["accuracy"] == trained_run.result.scores["accuracy"].model_dump()


@pytest.mark.long
def test_a_graph_that_does_not_fit_is_told(trained_run: Any, tmp_path: Path) -> None:
    import tellapart

    package = tmp_path / "own" / "tellapart"
    shutil.copytree(Path(tellapart.__file__).parent, package)
    path = package / graph_file(DEFAULT).relative_to(GRAPHS.parents[1])
    path.write_bytes(b"damaged")
    done = first_training(trained_run, tmp_path, PYTHONPATH=str(tmp_path / "own"))
    assert done.returncode == 0, done.stderr
    told = "The graph of tf_efficientnet_lite0 that tellapart keeps cannot be used: the kept graph"
    assert told in " ".join(done.stderr.split())
    assert json.loads(done.stdout)["accuracy"] == trained_run.result.scores["accuracy"].model_dump()
