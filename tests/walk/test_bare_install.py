"""The package without extras predicts. In: a trained model. Out: its answer in an environment without PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uv

pytestmark = pytest.mark.slow

ABSENT = ("torch", "torchvision", "timm", "sklearn", "scipy", "onnx", "imagehash", "cv2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bare:
    """An environment that holds the wheel and its base dependencies."""

    wheel: Path
    scripts: Path

    def run(self, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, away from the repository and without its paths."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        command = [self.scripts / program, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.scripts, env=environment, timeout=300
        )


@pytest.fixture(scope="module")
def bare(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    folder = tmp_path_factory.mktemp("bare")
    constraints = repository / "constraints.txt"
    _uv("build", "--wheel", "--build-constraint", constraints, "--out-dir", folder / "wheel", repository)
    (wheel,) = (folder / "wheel").glob("*.whl")
    _uv("venv", "--python", sys.executable, folder / "environment")
    scripts = folder / "environment" / ("Scripts" if os.name == "nt" else "bin")
    _uv("pip", "install", "--python", scripts / "python", "--constraint", constraints, wheel)
    return Bare(wheel=wheel, scripts=scripts)


def test_the_wheel_holds_the_package_its_types_and_licence_only(bare: Bare) -> None:
    names = zipfile.ZipFile(bare.wheel).namelist()
    assert "tellapart/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"tellapart"}


def test_pytorch_and_scikit_learn_are_absent(bare: Bare) -> None:
    code = f"from importlib.util import find_spec as find; print([name for name in {ABSENT} if find(name)])"
    assert bare.run("python", "-c", code).stdout.strip() == "[]"


def test_info_shows_the_model(bare: Bare, trained_run: Any) -> None:
    answer = bare.run("tellapart", "info", trained_run.model)
    assert answer.returncode == 0, answer.stderr
    for name in _classes(trained_run.pictures):
        assert name in answer.stdout


def test_predict_gives_the_same_answer_as_with_everything_installed(bare: Bare, trained_run: Any) -> None:
    picture = sorted(path for path in trained_run.pictures.rglob("*") if path.is_file())[0]
    arguments = ("predict", trained_run.model, picture, "--format", "csv")
    answer = bare.run("tellapart", *arguments)
    assert answer.returncode == 0, answer.stderr
    assert picture.name in answer.stdout
    assert any(name in answer.stdout for name in _classes(trained_run.pictures))
    full = subprocess.run(
        [Path(sys.executable).with_name("tellapart"), *arguments], capture_output=True, text=True, check=True
    )
    assert answer.stdout == full.stdout


@pytest.mark.parametrize("command", ["check", "train"])
def test_a_command_without_its_extra_says_which_to_install(bare: Bare, trained_run: Any, command: str) -> None:
    answer = bare.run("tellapart", command, trained_run.pictures)
    assert answer.returncode == 2
    message = " ".join(answer.stderr.split())
    assert f"tellapart {command}" in message
    assert 'pip install "tellapart[train]"' in message
    assert "Traceback" not in message


def _uv(*arguments: str | Path) -> None:
    answer = subprocess.run([uv.find_uv_bin(), *arguments], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, f"uv {arguments[0]}: {answer.stderr}"


def _classes(pictures: Path) -> list[str]:
    return sorted(path.name for path in pictures.iterdir() if path.is_dir())
