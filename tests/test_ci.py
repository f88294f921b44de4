"""What CI runs, and what it does not let pass. In: .ci/run among stubs, a test without its browser. Out: what was called."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import lacking

TOOLS = ("bash", "dirname")
INSTALL = "apt-get install -qq --yes --no-install-recommends chromium chromium-driver"

Machine = Callable[..., subprocess.CompletedProcess[str]]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="CI runs bash")


@pytest.fixture
def machine(repository: Path, tmp_path: Path) -> Machine:
    """Run .ci/run where only these programs are; each notes its call in `called`, and ends with its status."""

    def run(**programs: int) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in TOOLS:
            (folder / name).symlink_to(str(shutil.which(name)))
        for name, status in {"make": 0, "id": 0, **programs}.items():
            program = folder / name.replace("_", "-")
            note = f'echo "{program.name} $*" >> {tmp_path}/called'
            said = "echo 0" if name == "id" and status == 0 else f"echo {name} says so"
            program.write_text(f"#!/usr/bin/env bash\n{note}\n{said}\nexit {status}\n")
            program.chmod(0o755)
        (folder / "env").symlink_to(str(shutil.which("env")))
        bash = str(shutil.which("bash"))
        return subprocess.run(
            [bash, repository / ".ci" / "run"], capture_output=True, text=True, check=False, env={"PATH": str(folder)}
        )

    return run


def called(tmp_path: Path) -> list[str]:
    return [line for line in (tmp_path / "called").read_text().splitlines() if not line.startswith("id ")]


def test_a_browser_that_is_there_is_not_installed_again(machine: Machine, tmp_path: Path) -> None:
    done = machine(apt_get=0, chromium=0, chromedriver=0)
    assert (done.returncode, done.stderr) == (0, "")
    assert called(tmp_path) == ["make check"]


@pytest.mark.parametrize("status", [0, 1])
def test_packages_of_npm_are_fetched_once_and_may_be_missing(
    machine: Machine, tmp_path: Path, repository: Path, status: int
) -> None:
    done = machine(chromium=0, chromedriver=0, npm=status)
    assert (done.returncode, done.stderr) == (0, "")
    fetched = [line for line in called(tmp_path) if line.startswith("npm install --prefix .npm --ignore-scripts")]
    assert len(fetched) == (0 if (repository / ".npm").exists() else 1)
    assert called(tmp_path)[-1] == "make check"


@pytest.mark.parametrize("there", [{}, {"chromium": 0}, {"chromedriver": 0}], ids=["none", "chromium", "driver"])
def test_root_installs_what_is_missing(machine: Machine, tmp_path: Path, there: dict[str, int]) -> None:
    done = machine(apt_get=0, **there)
    assert done.returncode == 0
    assert "says so" not in done.stdout.replace("make says so", "")  # quiet
    assert called(tmp_path) == ["apt-get update -qq", INSTALL, "make check"]


def test_what_apt_could_not_do_is_said_and_the_checks_run(machine: Machine, tmp_path: Path) -> None:
    done = machine(apt_get=100)
    assert done.returncode == 0
    assert "apt-get could not install them, so there is no browser" in done.stderr
    assert "apt_get says so" in done.stderr
    assert called(tmp_path) == ["apt-get update -qq", "make check"]


@pytest.mark.parametrize("programs", [{"apt_get": 0, "id": 1}, {}], ids=["not root", "no apt-get"])
def test_where_it_may_not_it_says_so(machine: Machine, tmp_path: Path, programs: dict[str, int]) -> None:
    done = machine(**programs)
    assert done.returncode == 0
    assert "only root on Debian can install one here: chromium, chromium-driver" in done.stderr
    assert called(tmp_path) == ["make check"]


def test_the_checks_decide(machine: Machine) -> None:
    assert machine(make=2, chromium=0, chromedriver=0).returncode == 2


@pytest.mark.parametrize("value", ["true", "1", "True"])
def test_under_ci_what_is_lacking_is_a_failure(value: str) -> None:
    with pytest.raises(pytest.fail.Exception, match="curl is not installed"):
        lacking("curl is not installed", {"CI": value})


@pytest.mark.parametrize("environment", [{}, {"CI": ""}, {"CI": "false"}, {"CI": "0"}])
def test_elsewhere_it_is_skipped(environment: dict[str, str]) -> None:
    with pytest.raises(pytest.skip.Exception, match="curl is not installed"):
        lacking("curl is not installed", environment)


@pytest.mark.slow
@pytest.mark.parametrize(("under_ci", "outcome"), [("true", "1 error"), ("", "1 skipped")])
def test_the_page_without_a_browser(repository: Path, tmp_path: Path, under_ci: str, outcome: str) -> None:
    one = "tests/serving/test_browser_trouble.py::test_a_key_that_cannot_be_sent"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "slow", one],
        capture_output=True,
        text=True,
        check=False,
        cwd=repository,
        env={**os.environ, "PATH": str(tmp_path), "CI": under_ci},
    )
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert "chromium and chromium-driver are not installed: .ci/run installs them, as root" in done.stdout
