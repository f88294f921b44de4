"""Others' clients of a model of texts. In: tritonclient, kserve, ovmsclient. Out: the probabilities of `tellapart predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tellapart

from .conftest import Running, Start
from .test_clients import ask, same
from .test_texts import TEXTS, model_file  # noqa: F401

pytestmark = pytest.mark.slow

GIVEN = f"""
texts = {[*TEXTS, "雨 fine"]!r}
encoded = np.array([text.encode() for text in texts], dtype=object)
"""


@pytest.fixture
def wanted(model_file: Path) -> np.ndarray:  # noqa: F811
    found: np.ndarray = tellapart.load(model_file).predict([*TEXTS, "雨 fine"]).probabilities
    return found


@pytest.fixture
def mood(start: Start, model_file: Path) -> Running:  # noqa: F811
    return start(f"mood={model_file}")


def told(clients: Path, program: str, server: Running, folder: Path, pictures: list[bytes]) -> dict[str, Any]:
    return ask(clients, GIVEN + program, server, folder, pictures)


TRITON = """
import tritonclient.grpc
import tritonclient.http
for module, address in ((tritonclient.http, http), (tritonclient.grpc, grpc)):
    client = module.InferenceServerClient(address)
    one = module.InferInput("text", [len(texts)], "BYTES")
    one.set_data_from_numpy(encoded)
    result = client.infer("mood", [one])
    answers[module.__name__] = result.as_numpy("probabilities").tolist()
    answers[module.__name__ + " labels"] = [label.decode() for label in result.as_numpy("label")]
one = tritonclient.http.InferInput("text", [len(texts)], "BYTES")
one.set_data_from_numpy(np.array(texts, dtype=object), binary_data=False)
answers["json"] = tritonclient.http.InferenceServerClient(http).infer("mood", [one]).as_numpy("probabilities").tolist()
"""


def test_tritons_clients(
    clients: Path, mood: Running, wanted: np.ndarray, pictures: list[bytes], tmp_path: Path
) -> None:
    answers = told(clients, TRITON, mood, tmp_path, pictures)
    for name in ("tritonclient.http", "tritonclient.grpc", "json"):
        same(answers[name], wanted)
    assert answers["tritonclient.grpc labels"] == ["xyz"[index] for index in wanted.argmax(1)]


KSERVE = """
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
def request(binary):
    one = InferInput("text", [len(texts)], "BYTES")
    one.set_data_from_numpy(encoded, binary_data=binary)
    return InferRequest(model_name="mood", infer_inputs=[one], request_id="q")
async def main():
    url = "http://" + http
    v1 = InferenceRESTClient(RESTConfig(protocol="v1"))
    answers["v1"] = (await v1.infer(url, {"instances": texts}, model_name="mood"))["predictions"]
    response = await InferenceRESTClient(RESTConfig(protocol="v2")).infer(url, request(True), model_name="mood")
    answers["v2"] = next(one for one in response.outputs if one.name == "probabilities").as_numpy().tolist()
    client = InferenceGRPCClient(url=grpc)
    response = await client.infer(request(True))
    answers["grpc"] = next(one for one in response.outputs if one.name == "probabilities").as_numpy().tolist()
    await client.close()
asyncio.run(main())
"""


@pytest.mark.long
def test_kserves_client(
    clients: Path, mood: Running, wanted: np.ndarray, pictures: list[bytes], tmp_path: Path
) -> None:
    answers = told(clients, KSERVE, mood, tmp_path, pictures)
    for name in ("v1", "v2", "grpc"):
        same(answers[name], wanted)


OVMS = """
from ovmsclient import make_grpc_client, make_http_client
for name, client in (("http", make_http_client(http)), ("grpc", make_grpc_client(grpc))):
    answers[name] = client.predict({"text": [text.encode() for text in texts]}, "mood").tolist()
answers["inputs"] = list(make_grpc_client(grpc).get_model_metadata("mood")["inputs"])
"""


def test_tensorflow_servings_protocol_by_ovmsclient(
    clients: Path, mood: Running, wanted: np.ndarray, pictures: list[bytes], tmp_path: Path
) -> None:
    answers = told(clients, OVMS, mood, tmp_path, pictures)
    for name in ("http", "grpc"):
        same(answers[name], wanted)
    assert answers["inputs"] == ["text"]
