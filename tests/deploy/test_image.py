"""The Dockerfile's steps, without Docker. In: a copy of its context. Out: a server under 200 MB that answers."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

MOST_BYTES = 200 * 1024 * 1024
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the image is for Linux"),
]


@pytest.fixture(scope="module")
def environment(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage makes: the wheel of what .dockerignore lets in, and [serve]."""
    folder = tmp_path_factory.mktemp("image")
    context = folder / "context"
    context.mkdir()
    for line in (repository / "deploy" / "Dockerfile.dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source = repository / line[1:]
            if source.is_dir():
                shutil.copytree(source, context / line[1:], ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, context)
    constraints = context / "constraints.txt"
    _run(
        uv.find_uv_bin(), "build", "--wheel", "--build-constraint", constraints, "--out-dir", folder / "wheels", context
    )
    (wheel,) = (folder / "wheels").glob("*.whl")
    made = folder / "tellapart"
    _run(uv.find_uv_bin(), "venv", "--python", sys.executable, made)
    _run(
        uv.find_uv_bin(),
        "pip",
        "install",
        "--python",
        made / "bin" / "python",
        "--constraint",
        constraints,
        f"{wheel}[serve]",
    )
    for tests in [path for path in made.rglob("tests") if path.is_dir()]:
        shutil.rmtree(tests, ignore_errors=True)
    for imports in re.findall(r'-c "(import .+)"', (repository / "deploy" / "Dockerfile").read_text()):
        _run(made / "bin" / "python", "-c", imports)
    return made


@pytest.fixture
def served(environment: Path, tiny_bytes: bytes) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server as the image starts it, without a home, and its address."""
    models = environment.parent / "models" / "colours"
    models.mkdir(parents=True, exist_ok=True)
    (models / "model.onnx").write_bytes(tiny_bytes)
    command = ["serve", "--host", "0.0.0.0", "--port", "0", "--no-grpc", models.parent]
    process = subprocess.Popen(
        [environment / "bin" / "tellapart", *command],
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PATH": f"{environment}/bin:/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert process.stderr is not None
    said = ""
    while not (found := re.search(r"HTTP on http://0\.0\.0\.0:(\d+)", said)):
        line = process.stderr.readline()
        assert line, said
        said += line
    yield process, f"http://127.0.0.1:{found[1]}"
    process.kill()
    process.communicate(timeout=300)


def test_it_is_small_and_holds_no_torch(environment: Path) -> None:
    size = sum(path.stat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < MOST_BYTES
    (packages,) = environment.glob("lib/python*/site-packages")
    names = {path.name.partition("-")[0].lower() for path in packages.iterdir()}
    assert {"tellapart", "onnxruntime", "grpc"} <= names
    assert not names & {"torch", "timm", "sklearn", "scipy", "pytest", "pip"}


def test_its_health_is_asked_without_curl_and_it_ends_in_order(
    repository: Path, environment: Path, served: tuple[subprocess.Popen[str], str]
) -> None:
    process, address = served
    check = re.search(r'CMD \["python", "-c", "(.+)"\]', (repository / "deploy" / "Dockerfile").read_text())
    assert check is not None
    program = check[1].replace("http://127.0.0.1:8501", address)
    _run(environment / "bin" / "python", "-c", program)
    refused = subprocess.run(
        [environment / "bin" / "python", "-c", program.replace(address, "http://127.0.0.1:9")],
        capture_output=True,
        check=False,
    )
    assert refused.returncode != 0
    with urllib.request.urlopen(f"{address}/models") as answer:
        assert json.load(answer)["models"][0]["name"] == "colours"
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 0


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
