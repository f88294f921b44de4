"""A real Triton with the tiny model behind its Python backend. In: where it is, a model. Out: Address. Next: triton_client.py."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tellapart

CLASSES = ("blue", "green", "红色")  # of the tiny model
# Triton types an input once and for all, so pixels have a model of their own there.
BACKEND = """
import sys
from pathlib import Path
import numpy as np
import triton_python_backend_utils as triton
sys.path.insert(0, {sources!r})
from PIL import Image
from tellapart.bundle import open_model
from tellapart.preprocessing import load, prepare

class TritonPythonModel:
    def initialize(self, args):
        self.model = open_model(Path({model!r}))

    def execute(self, requests):
        return [self.answer(one) for one in requests]

    def answer(self, request):
        pictures = triton.get_input_tensor_by_name(request, "image").as_numpy()
        preprocessing, abstention = self.model.preprocessing, self.model.manifest.record.abstention
        try:
            images = [
                prepare(Image.fromarray(one), preprocessing) if {pixels} else load(one, preprocessing) for one in pictures
            ]
        except Exception as error:
            return triton.InferenceResponse([], triton.TritonError(str(error), triton.TritonError.INVALID_ARG))
        probabilities, novelty = self.model.compute(np.stack(images), ("probabilities", "novelty")).values()
        sets = probabilities >= abstention.threshold
        sets[range(len(sets)), probabilities.argmax(1)] = True
        labels = np.array([self.model.manifest.classes[at].encode() for at in probabilities.argmax(1)], dtype=object)
        outputs = {{
            "probabilities": probabilities, "label": labels, "set": sets, "novelty": novelty,
            "unknown": novelty > abstention.novelty_threshold,
            "warning": np.array([b""] * len(sets), dtype=object),
        }}
        return triton.InferenceResponse([triton.Tensor(name, array) for name, array in outputs.items()])
"""
CONFIG = """
backend: "python"
max_batch_size: 0
input [ {{ name: "image" data_type: {kind} dims: {dims} }} ]
output [
  {{ name: "probabilities" data_type: TYPE_FP32 dims: [ -1, 3 ] label_filename: "labels.txt" }},
  {{ name: "label" data_type: TYPE_STRING dims: [ -1 ] }},
  {{ name: "set" data_type: TYPE_BOOL dims: [ -1, 3 ] }},
  {{ name: "novelty" data_type: TYPE_FP32 dims: [ -1 ] }},
  {{ name: "unknown" data_type: TYPE_BOOL dims: [ -1 ] }},
  {{ name: "warning" data_type: TYPE_STRING dims: [ -1 ] }}
]
instance_group [ {{ count: 1 kind: KIND_CPU }} ]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a server of the protocol listens."""

    http: int
    grpc: int


@contextlib.contextmanager
def running_triton(environment: Path, model: Path, folder: Path) -> Iterator[Address]:
    """Triton with `model` behind its Python backend, as `single` for files and `pixels` for pixels."""
    packages = next((environment / "lib").glob("python3.*/site-packages"))
    parts, backend = packages / "pytriton" / "tritonserver", folder / "backends" / "python"
    shutil.copytree(parts / "backends" / "python", backend)
    stubs = parts / "python_backend_stubs" / packages.parent.name.removeprefix("python")
    shutil.copytree(stubs, backend, dirs_exist_ok=True)
    for name, kind, dims in (("single", "TYPE_STRING", "[ -1 ]"), ("pixels", "TYPE_UINT8", "[ -1, -1, -1, 3 ]")):
        (folder / "models" / name / "1").mkdir(parents=True)
        (folder / "models" / name / "config.pbtxt").write_text(CONFIG.format(kind=kind, dims=dims))
        (folder / "models" / name / "labels.txt").write_text("\n".join(CLASSES) + "\n", encoding="utf-8")
        program = BACKEND.format(
            sources=str(Path(tellapart.__file__).parents[1]), model=str(model), pixels=name == "pixels"
        )
        (folder / "models" / name / "1" / "model.py").write_text(program)
    ports = Address(http=free_port(), grpc=free_port())
    command = [
        parts / "bin" / "tritonserver",
        f"--model-repository={folder / 'models'}",
        f"--backend-directory={backend.parent}",
        "--backend-config=python,shm-default-byte-size=1048576",
        f"--http-port={ports.http}",
        f"--grpc-port={ports.grpc}",
        "--allow-metrics=false",
    ]
    variables = {
        **os.environ,
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(environment),
        "PYTHONPATH": str(packages),
        "LD_LIBRARY_PATH": str(packages / "nvidia_pytriton.libs"),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=variables)
        try:
            wait_until_ready(process, ports.http, folder / "log")
            yield ports
        finally:
            process.terminate()
            process.wait(300)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(3000):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready", timeout=60):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text()[-2000:])
