"""The files for KubeRay agree with the commands, with Ray's version and with each other. In: deploy/ray. Out: what does not fit.

That their fields are KubeRay's is the linters' work (`make deployment`), by the names that we use; here are the pods in them.
"""

from __future__ import annotations

import importlib.metadata
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tellapart.cli.predict import command as predict
from tellapart.cli.train import command as train

JOBS = ("predict", "train")


@pytest.fixture(scope="module")
def folder(repository: Path) -> Path:
    return repository / "deploy" / "ray"


@pytest.fixture(params=JOBS)
def job(request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / f"{request.param}.yaml").read_text(encoding="utf-8"))
    return found


def templates(job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = job["spec"]["rayClusterSpec"]
    return [cluster["headGroupSpec"]["template"], *(group["template"] for group in cluster["workerGroupSpecs"])]


def test_what_is_begun_is_a_command_of_ours(job: dict[str, Any]) -> None:
    program, name, *arguments = shlex.split(job["spec"]["entrypoint"])
    command = {"predict": predict, "train": train}[name]
    assert program == "tellapart"
    told = command.make_context(name, arguments).params
    assert told["ray"] == "auto"
    mounted = {mount["mountPath"] for one in templates(job) for mount in one["spec"]["containers"][0]["volumeMounts"]}
    places = [argument for argument in arguments if argument.startswith("/")]
    assert places
    assert all(place.startswith(tuple(f"{one}/" for one in mounted)) for place in places)


def test_the_pods_are_such_as_kubernetes_takes(job: dict[str, Any], tmp_path: Path) -> None:
    for number, template in enumerate(templates(job)):
        pod = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "x"}, "template": template}
        (tmp_path / f"{number}.yaml").write_text(yaml.safe_dump(pod))
    program = Path(sys.executable).with_name("kubernetes-validate")
    subprocess.run([program, "--strict", "--quiet", *sorted(tmp_path.iterdir())], check=True)


def test_pods_run_as_nobody_with_rights_and_are_fenced(job: dict[str, Any], folder: Path) -> None:
    fence = yaml.safe_load((folder / "network.yaml").read_text())["spec"]["podSelector"]["matchLabels"]
    for template in templates(job):
        person, container = template["spec"]["securityContext"], template["spec"]["containers"][0]
        assert person["runAsNonRoot"] is True
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert container["resources"]["requests"] == container["resources"]["limits"]
        assert fence.items() <= template["metadata"]["labels"].items()


def test_versions_agree(job: dict[str, Any], folder: Path, repository: Path) -> None:
    version = job["spec"]["rayClusterSpec"]["rayVersion"]
    dockerfile = (folder / "Dockerfile").read_text()
    assert f"FROM rayproject/ray:{version}-" in dockerfile
    with (repository / "pyproject.toml").open("rb") as file:
        (wanted,) = tomllib.load(file)["project"]["optional-dependencies"]["ray"]
    least = wanted.partition(">=")[2].partition(",")[0]
    assert version.startswith(f"{least}.")
    image = f"tellapart-ray:{importlib.metadata.version('tellapart')}"
    assert {one["spec"]["containers"][0]["image"] for one in templates(job)} == {image}
    assert image in dockerfile
