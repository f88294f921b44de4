"""A search whose trials a cluster of three nodes does. In: digits. Out: the trials of one process, whatever is lost meanwhile."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ..walk.conftest import save_digits  # noqa: TID252
from .ray_cluster import SECONDS, Cluster, kill, wait_for

pytestmark = pytest.mark.ray

COMMAND = ("-m", "tellapart.cli.main", "search")
TRIED = (
    *(
        "--strategy",
        "scratch",
        "--random",
        "--trials",
        "5",
        "--no-report",
        "--device",
        "cpu",
        "--pruner",
        "none",
        "--json",
    ),
    *("--set", "network.size=32", "--set", "network.channels=1", "--set", "network.blocks=[{filters=8}]"),
    *("--set", "loop.epochs=3", "--set", "loop.batch_size=16", "--try", "loop.learning_rate=1e-4:1e-1:log"),
)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_digits(tmp_path_factory.mktemp("trials") / "digits", each=30)


def begun(environment: Mapping[str, str], *given: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *COMMAND, *map(str, given)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[dict[str, Any], str]:
    """What was found, and what was said meanwhile."""
    try:
        found, said = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, said
    return json.loads(found), said


def trials(found: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [
        (one["number"], one["state"], one["settings"], one["validation"], one["log_loss"]) for one in found["trials"]
    ]


def done(out: Path) -> int:
    """Trials that are done, by the study's journal."""
    lines = [line for path in out.glob("*/search/journal.log") for line in path.read_text().splitlines()]
    return sum('"state":1' in line for line in lines)


@pytest.fixture(scope="module")
def alone(digits: Path, ray_environment: Mapping[str, str]) -> dict[str, Any]:
    return ended(begun(ray_environment, digits, *TRIED, "--out", digits.parent / "alone"))[0]


def test_a_cluster_gives_what_one_process_gives_though_a_node_and_a_worker_are_lost(
    cluster: Cluster, digits: Path, alone: dict[str, Any], ray_environment: Mapping[str, str]
) -> None:
    out = digits.parent / "lost"
    process = begun(ray_environment, digits, *TRIED, "--out", out, "--ray", cluster.address, "--parallel", "3")
    wait_for(lambda: done(out) >= 1, process)
    cluster.lose_a_node()
    for worker in cluster.workers("_Worker")[:1]:
        kill(worker)
    found, said = ended(process)
    assert trials(found) == trials(alone)
    assert "the trial is begun again." in said
    with (Path(found["run"]) / "search" / "trials.csv").open() as file:
        assert sorted(row["trial"] for row in csv.DictReader(file)) == ["0", "1", "2", "3", "4", "usual"]
    one, two = (Path(each["run"]) / "weights.safetensors" for each in (found, alone))
    assert one.read_bytes() == two.read_bytes()  # the winner's, which is trained as ever


def test_whoever_began_it_may_be_killed(
    cluster: Cluster, digits: Path, alone: dict[str, Any], ray_environment: Mapping[str, str]
) -> None:
    out = digits.parent / "killed"
    process = begun(ray_environment, digits, *TRIED, "--out", out, "--ray", cluster.address)
    wait_for(lambda: done(out) >= 1, process)
    process.kill()
    process.communicate()
    run = next(out.glob("*/recipe.toml")).parent
    wait_for(lambda: not cluster.workers("_Worker"))  # Ray ends what nobody waits for
    found, _ = ended(begun(ray_environment, "--resume", run, "--ray", cluster.address, "--json"))
    assert trials(found) == trials(alone)
