"""A run trained by a cluster of two nodes, and by torchrun. In: digits. Out: the same bits, whatever is killed meanwhile."""

from __future__ import annotations

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

COMMAND = ("-m", "tellapart.cli.main", "train")
RECIPE = """[settings]
data = "{data}"
strategy = "scratch"
device = "cpu"
report = false

[settings.network]
size = 32
channels = 1
blocks = [{{filters = 8}}, {{filters = 16}}]

[settings.augment]
preset = "none"
shift = 0.1

[settings.loop]
epochs = 8
batch_size = 16
average = 0.5
"""
SAME = ("weights.safetensors", "predictions.csv", "examples.csv")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    save_digits(folder / "digits", each=30)
    path = folder / "recipe.toml"
    path.write_text(RECIPE.format(data=folder / "digits"))
    return path


@pytest.fixture(scope="module")
def by_torchrun(recipe: Path, ray_environment: Mapping[str, str]) -> Path:
    before = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
    done = subprocess.run(
        [
            sys.executable,
            *before,
            *COMMAND,
            "--recipe",
            str(recipe),
            "--out",
            str(recipe.parent / "torchrun"),
            "--json",
        ],
        env=ray_environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return Path(json.loads(done.stdout)["run"])


def begun(cluster: Cluster, environment: Mapping[str, str], *given: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *COMMAND, *map(str, given), "--ray", cluster.address, "--workers", "2", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> tuple[Path, str]:
    """The run, and what was said meanwhile."""
    said, warned = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, warned
    return Path(json.loads(said)["run"]), warned


def check_same(run: Path, reference: Path) -> None:
    for name in SAME:
        assert (run / name).read_bytes() == (reference / name).read_bytes(), name
    one, two = (json.loads((folder / "metrics.json").read_text()) for folder in (run, reference))
    assert one["test"] == two["test"]
    curves = [
        [
            {name: value for name, value in epoch.items() if name not in ("seconds", "pictures_per_second")}
            for epoch in found["training"]["scratch"]["history"]
        ]
        for found in (one, two)
    ]
    assert curves[0] == curves[1]
    assert [path.name for path in run.parent.iterdir() if path.name.startswith(".")] == []


def saved(out: Path, epoch: int) -> Any:
    return list(out.glob(f"*/checkpoints/checkpoint-{epoch:05d}-*"))


def test_it_is_what_torchrun_gives(
    cluster: Cluster, recipe: Path, by_torchrun: Path, ray_environment: Mapping[str, str]
) -> None:
    run, _ = ended(begun(cluster, ray_environment, "--recipe", recipe, "--out", recipe.parent / "ray"))
    check_same(run, by_torchrun)


@pytest.mark.parametrize("which", [0, -1], ids=["first", "last"])
def test_a_worker_that_is_killed_changes_nothing(
    cluster: Cluster, recipe: Path, by_torchrun: Path, ray_environment: Mapping[str, str], which: int
) -> None:
    out = recipe.parent / f"killed{which}"
    process = begun(cluster, ray_environment, "--recipe", recipe, "--out", out)
    wait_for(lambda: saved(out, 2), process)
    kill(cluster.workers("RayTrainWorker")[which])
    run, said = ended(process)
    assert "A process of the training was lost; all go on from what is saved." in said
    check_same(run, by_torchrun)
    events = [json.loads(line)["event"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert events.count("started") == events.count("resumed") == 1
    assert events.count("epoch") == 8
    assert [path.name for path in out.iterdir()] in ([run.name, "latest"], ["latest", run.name])  # one run, not two


def test_whoever_began_it_may_be_killed_too(
    cluster: Cluster, recipe: Path, by_torchrun: Path, ray_environment: Mapping[str, str]
) -> None:
    out = recipe.parent / "begun-again"
    process = begun(cluster, ray_environment, "--recipe", recipe, "--out", out)
    wait_for(lambda: saved(out, 2), process)
    process.kill()
    process.communicate()
    run = next(out.glob("*/recipe.toml")).parent
    assert (run / "unfinished.json").exists()
    wait_for(lambda: not cluster.workers("RayTrainWorker"))  # Ray ends what nobody waits for
    again, _ = ended(begun(cluster, ray_environment, "--resume", run))
    assert again == run
    for name in SAME:
        assert (run / name).read_bytes() == (by_torchrun / name).read_bytes()


def test_what_cannot_be_trained_on_is_said_as_ever(
    cluster: Cluster, recipe: Path, ray_environment: Mapping[str, str], tmp_path: Path
) -> None:
    save_digits(tmp_path / "digits", labels=(0,), each=3)
    process = begun(cluster, ray_environment, tmp_path / "digits", "--strategy", "scratch", "--out", tmp_path / "runs")
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "telling apart needs two" in said
    assert list((tmp_path / "runs").iterdir()) == []
