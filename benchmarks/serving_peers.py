"""Servers of the same model, ready to be started. In: a model, free ports. Out: commands, and how to ask. Next: serving.py.

All run the same preprocessing and the same file; what differs is the server around them. Each gets the best settings that we know:
a process or thread a core, each with a session of one thread (runtime.py says why); FastAPI is left as people write it first.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE.parent / ".venv-servers"
REQUIREMENTS = HERE / "serving_requirements.txt"
SOURCES = HERE.parent / "src"

TRITON_MODEL = """
import sys
from pathlib import Path
import numpy as np
import triton_python_backend_utils as triton
sys.path.insert(0, {sources!r})
from tellapart.bundle import open_model
from tellapart.preprocessing import load

class TritonPythonModel:
    def initialize(self, args):
        self.model = open_model(Path({model!r}))

    def execute(self, requests):
        files = [triton.get_input_tensor_by_name(one, "image").as_numpy().reshape(-1)[0] for one in requests]
        images = np.stack([load(file, self.model.preprocessing) for file in files])
        rows = self.model.compute(images, ("probabilities", "novelty"))["probabilities"]
        return [triton.InferenceResponse([triton.Tensor("probabilities", row[None])]) for row in rows]
"""
TRITON_CONFIG = """
backend: "python"
max_batch_size: {batch}
input [ {{ name: "image" data_type: TYPE_STRING dims: [ 1 ] }} ]
output [ {{ name: "probabilities" data_type: TYPE_FP32 dims: [ {classes} ] }} ]
instance_group [ {{ count: {cores} kind: KIND_CPU }} ]
dynamic_batching {{ }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that can be started."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    port: int  # HTTP
    ready: str  # a path that answers 200 once requests can come
    ways: Mapping[str, Mapping[str, Any]]  # how it is asked: name -> a part of serving_load.py's plan


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as one:
        return int(one.getsockname()[1])


def tellapart(model: Path, *, options: tuple[str, ...] = ()) -> Server:
    """Ours, as it comes."""
    http, grpc = free_port(), free_port()
    command = (str(Path(sys.executable).with_name("tellapart")), "serve", f"m={model}", "--port", str(http))
    v2 = {"path": "/v2/models/m/infer", "encoding": "v2", "shape": [1]}
    return Server(
        name="tellapart",
        command=(*command, "--grpc-port", str(grpc), *options),
        environment={},
        port=http,
        ready="/health/ready",
        ways={
            "REST": {"port": http, "path": "/predict", "encoding": "raw"},
            "v2 binary": {"port": http, **v2},
            "v2 gRPC": {"port": grpc, **v2, "encoding": "grpc", "model": "m"},
        },
    )


def fastapi(model: Path, python: Path) -> Server:
    """One request is one run."""
    port = free_port()
    command = ("-m", "uvicorn", "--app-dir", str(HERE), "--port", str(port), "--no-access-log", "serving_fastapi:app")
    return Server(
        name="FastAPI",
        command=(str(python), *command),
        environment={"MODEL": str(model), "PYTHONPATH": str(SOURCES)},
        port=port,
        ready="/health",
        ways={
            "REST, def": {"port": port, "path": "/predict", "encoding": "multipart", "field": "file"},
            "REST, async def": {"port": port, "path": "/predict-async", "encoding": "multipart", "field": "file"},
        },
    )


def litserve(model: Path, python: Path, *, batch: int, cores: int) -> Server:
    """Lightning's server."""
    port = free_port()
    given = {"MODEL": str(model), "PORT": str(port), "BATCH": str(batch), "WORKERS": str(cores)}
    return Server(
        name=f"LitServe, batch {batch}",
        command=(str(python), str(HERE / "serving_litserve.py")),
        environment={**given, "PYTHONPATH": str(SOURCES)},
        port=port,
        ready="/health",
        ways={"REST": {"port": port, "path": "/predict", "encoding": "base64"}},
    )


def triton(model: Path, environment: Path, folder: Path, *, batch: int, cores: int, classes: int) -> Server:
    """NVIDIA's server with its Python backend, from the nvidia-pytriton wheel; `folder` takes what it needs on disk."""
    http, grpc = free_port(), free_port()
    packages = next((environment / "lib").glob("python3.*/site-packages"))
    parts = packages / "pytriton" / "tritonserver"
    backend, repository = folder / "backends" / "python", folder / "models" / "m"
    (repository / "1").mkdir(parents=True)
    shutil.copytree(parts / "backends" / "python", backend)
    stubs = parts / "python_backend_stubs" / packages.parent.name.removeprefix("python")
    shutil.copytree(stubs, backend, dirs_exist_ok=True)
    (repository / "config.pbtxt").write_text(TRITON_CONFIG.format(batch=batch, classes=classes, cores=cores))
    (repository / "1" / "model.py").write_text(TRITON_MODEL.format(sources=str(SOURCES), model=str(model)))
    v2 = {"path": "/v2/models/m/infer", "encoding": "v2", "shape": [1, 1]}
    return Server(
        name=f"Triton, batch {batch}",
        command=(
            str(parts / "bin" / "tritonserver"),
            f"--model-repository={repository.parent}",
            f"--backend-directory={backend.parent}",
            "--backend-config=python,shm-default-byte-size=1048576",
            f"--http-port={http}",
            f"--grpc-port={grpc}",
            "--allow-metrics=false",
            "--http-address=127.0.0.1",
            "--grpc-address=127.0.0.1",
        ),
        environment={
            "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
            "VIRTUAL_ENV": str(environment),
            "PYTHONPATH": str(packages),
            "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs"),
        },
        port=http,
        ready="/v2/health/ready",
        ways={"v2 binary": {"port": http, **v2}, "v2 gRPC": {"port": grpc, **v2, "encoding": "grpc", "model": "m"}},
    )


def make_environment(environment: Path) -> None:
    """Install the others beside the project, never into it. About 400 MB, once."""
    complete = environment / ".complete"
    if complete.is_file() and complete.read_text() == REQUIREMENTS.read_text():
        return
    print(f"installing FastAPI, LitServe and Triton into {environment} ...", file=sys.stderr)
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment], check=True)
    # Bytecode now: else the first start that is timed would compile it.
    install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--requirement", REQUIREMENTS]
    subprocess.run([*install, "--python", environment / "bin" / "python"], check=True)
    complete.write_text(REQUIREMENTS.read_text())
