"""Clients that others wrote. In: tritonclient, kserve, ovmsclient, curl. Out: the probabilities of `tellapart predict`.

They want older versions of packages that we use (kserve: protobuf 6), so they live in an environment of their own, which
`make test` makes of clients.txt. Those that put the protocol's messages into protobuf's one pool cannot share a process.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from .conftest import PATIENCE, Running, Start, expected, pixels

PRELUDE = """
import asyncio, json, logging, sys, warnings
import numpy as np
from collections.abc import Callable
from pathlib import Path
logging.disable(logging.CRITICAL)
http, grpc, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
files = [path.read_bytes() for path in sorted(folder.glob("*.png"))]
pixels = np.load(folder / "pixels.npy")
answers = {}
"""


@pytest.fixture
def curl(lacks: Callable[[str], NoReturn]) -> None:
    if shutil.which("curl") is None:
        lacks("curl is not installed")


def ask(clients: Path, program: str, server: Running, folder: Path, pictures: list[bytes]) -> dict[str, Any]:
    """Run `program` in a process of its own; it fills `answers`."""
    for number, data in enumerate(pictures):
        (folder / f"{number}.png").write_bytes(data)
    np.save(folder / "pixels.npy", pixels(pictures[1]))
    code = PRELUDE + program + "\nprint(json.dumps(answers))"
    addresses = [f"127.0.0.1:{server.http_port}", f"127.0.0.1:{server.grpc_port}"]
    done = subprocess.run(
        [clients, "-c", code, *addresses, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=2 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def same(found: Any, wanted: np.ndarray) -> None:
    np.testing.assert_allclose(np.array(found, dtype=float).reshape(wanted.shape), wanted, atol=1e-5)


TRITON = """
def run(module, client, binary):
    def tensor(array, kind):
        one = module.InferInput("image", list(array.shape), kind)
        one.set_data_from_numpy(array, **({"binary_data": binary} if module.__name__.endswith("http") else {}))
        return one
    def infer(array, kind, **more):
        return client.infer("single", [tensor(array, kind)], **more)
    name = module.__name__ + str(binary)
    result = infer(pixels[None], "UINT8")
    answers[name + " pixels"] = result.as_numpy("probabilities").tolist()
    if binary:
        encoded = np.array(files, dtype=object)
        result = infer(encoded, "BYTES")
        answers[name] = result.as_numpy("probabilities").tolist()
        answers[name + " labels"] = [label.decode() for label in result.as_numpy("label")]
        answers[name + " unknown"] = result.as_numpy("unknown").tolist()
        asked = [module.InferRequestedOutput("probabilities", class_count=1)]
        answers[name + " top"] = [one.decode() for one in infer(encoded, "BYTES", outputs=asked).as_numpy("probabilities")[:, 0]]
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("single")
    assert not client.is_model_ready("nobody")
    client.get_server_metadata(), client.get_model_metadata("colours", "1"), client.get_inference_statistics("single")
    client.get_model_repository_index()
    config = client.get_model_config("single", **({"as_json": True} if module.__name__.endswith("grpc") else {}))
    config = config.get("config", config)
    answers[name + " config"] = [[config["input"][0]["name"], config["input"][0]["data_type"]], len(config["output"])]
    client.unload_model("colours")
    assert not client.is_model_ready("colours")
    client.load_model("colours")
    assert client.is_model_ready("colours")
    try:
        client.infer("nobody", [tensor(pixels[None], "UINT8")])
    except module.InferenceServerException as error:
        answers[name + " error"] = [str(error.status()), error.message()]
"""


@pytest.mark.slow
def test_tritonclient_over_http(
    clients: Path, start: Start, models: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    program = TRITON + (
        "import tritonclient.http as module\n"
        "for binary in (True, False):\n"
        "    run(module, module.InferenceServerClient(http), binary)\n"
    )
    answers = ask(clients, program, start(control=True), tmp_path, pictures)
    wanted = expected(models / "single" / "model.onnx", pictures)
    name = "tritonclient.httpTrue"
    same(answers[name], wanted)
    same(answers[name + " pixels"], wanted[1:2])
    same(answers["tritonclient.httpFalse pixels"], wanted[1:2])
    assert answers[name + " labels"] == [("blue", "green", "红色")[index] for index in wanted.argmax(1)]
    assert [one.split(":")[2] for one in answers[name + " top"]] == answers[name + " labels"]
    assert answers[name + " unknown"] == [False] * 3
    assert answers[name + " config"] == [["image", "TYPE_STRING"], 6]
    assert answers[name + " error"][0] == "404"
    assert "there is no model 'nobody'" in answers[name + " error"][1]


@pytest.mark.slow
def test_tritonclient_over_grpc(
    clients: Path, start: Start, models: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    program = TRITON + "import tritonclient.grpc as module\nrun(module, module.InferenceServerClient(grpc), True)\n"
    answers = ask(clients, program, start(control=True), tmp_path, pictures)
    wanted = expected(models / "single" / "model.onnx", pictures)
    name = "tritonclient.grpcTrue"
    same(answers[name], wanted)
    same(answers[name + " pixels"], wanted[1:2])
    assert answers[name + " labels"] == [("blue", "green", "红色")[index] for index in wanted.argmax(1)]
    assert answers[name + " error"][0] == "StatusCode.NOT_FOUND"


KSERVE = """
import base64
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
def request(name):
    one = InferInput("image", list(pixels[None].shape), "UINT8")
    one.set_data_from_numpy(pixels[None], binary_data=name != "json")
    return InferRequest(model_name="single", infer_inputs=[one], request_id="q")
async def main():
    url = "http://" + http
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    body = {"instances": [{"b64": base64.b64encode(data).decode()} for data in files]}
    answers["v1"] = (await v1.infer(url, body, model_name="single"))["predictions"]
    assert await v1.is_model_ready(url, "single") and await v1.is_server_live(url)
    v2 = InferenceRESTClient(RESTConfig(protocol="v2"))
    for name in ("json", "binary"):
        response = await v2.infer(url, request(name), model_name="single")
        answers["v2 " + name] = next(one for one in response.outputs if one.name == "probabilities").as_numpy().tolist()
    assert await v2.is_model_ready(url, "single") and await v2.is_server_ready(url) and await v2.is_server_live(url)
    client = InferenceGRPCClient(url=grpc)
    response = await client.infer(request("grpc"))
    answers["grpc"] = next(one for one in response.outputs if one.name == "probabilities").as_numpy().tolist()
    assert await client.is_server_ready() and await client.is_server_live() and await client.is_model_ready("single")
    await client.close()
asyncio.run(main())
"""


@pytest.mark.slow
def test_kserves_client(
    clients: Path, shared: Running, shared_models: Path, pictures: list[bytes], tmp_path: Path
) -> None:
    answers = ask(clients, KSERVE, shared, tmp_path, pictures)
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    same(answers["v1"], wanted)
    for name in ("v2 json", "v2 binary", "grpc"):
        same(answers[name], wanted[1:2])


OVMS = """
from ovmsclient import make_http_client
client = make_http_client(http)
for data in files:
    answers.setdefault("files", []).append(client.predict({"image": [data]}, "single").tolist())
answers["pixels"] = client.predict({"image": pixels[None]}, "single").tolist()
answers["old"] = client.predict({"image": pixels[None]}, "colours", 1).tolist()
status = client.get_model_status("colours", 0)
answers["status"] = {number: one["state"] for number, one in status.items()}
client.get_model_metadata("colours")
try:
    client.predict({"image": pixels[None]}, "nobody")
except Exception as error:
    answers["error"] = [type(error).__name__, str(error)]
"""


@pytest.mark.slow
def test_ovmsclient(clients: Path, shared: Running, shared_models: Path, pictures: list[bytes], tmp_path: Path) -> None:
    answers = ask(clients, OVMS, shared, tmp_path, pictures)
    wanted = expected(shared_models / "single" / "model.onnx", pictures)
    same(answers["files"], wanted)
    same(answers["pixels"], wanted[1:2])
    same(answers["old"], expected(shared_models / "colours" / "1" / "model.onnx", pictures[1:2]))
    assert answers["status"] == {"2": "AVAILABLE"}
    assert answers["error"][0] == "ModelNotFoundError"
    assert "there is no model 'nobody'" in answers["error"][1]


@pytest.mark.usefixtures("curl")
def test_curl(shared: Running, shared_models: Path, pictures: list[bytes], tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(pictures[0])
    url = f"http://127.0.0.1:{shared.http_port}/predict?model=single&top=3"
    wanted = np.sort(expected(shared_models / "single" / "model.onnx", pictures[:1])[0])[::-1]
    for arguments in (["-F", f"file=@{file}"], ["--data-binary", f"@{file}"], ["-T", str(file), "-X", "POST"]):
        done = subprocess.run(
            ["curl", "-s", *arguments, url], capture_output=True, text=True, check=True, timeout=PATIENCE
        )
        row = json.loads(done.stdout)["predictions"][0]
        same([one["probability"] for one in row["classes"]], wanted)


EXAMPLE = re.compile(r"^curl (?:.*<<END\n(?:.*\n)*?END|(?:.*\\\n)*.*)$", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.usefixtures("curl")
def test_the_examples_in_the_documentation_work(
    start: Start, models: Path, pictures: list[bytes], repository: Path, tmp_path: Path
) -> None:
    server = start(f"cats={models / 'single'}")
    for name, data in zip(("cat.jpg", "dog.jpg"), pictures, strict=False):
        (tmp_path / name).write_bytes(data)
    examples = EXAMPLE.findall((repository / "docs" / "serving.md").read_text(encoding="utf-8"))
    assert len(examples) >= 10
    for example in examples:
        command = example.replace("127.0.0.1:8501", f"127.0.0.1:{server.http_port}").replace("curl ", "curl -sS -f ", 1)
        done = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=PATIENCE
        )
        assert done.returncode == 0, (example, done.stderr)
        assert isinstance(json.loads(done.stdout or "{}"), dict)
