"""Asks a server of the Open Inference Protocol with NVIDIA's client. In: where it is, pictures. Out: JSON. Next: test_triton.py.

Run by Triton's own environment: `python triton_client.py http|grpc ADDRESS MODEL_FOR_PIXELS FOLDER`.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np

kind, address, pixel_model, folder = sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4])
module = importlib.import_module(f"tritonclient.{kind}")
client = module.InferenceServerClient(address)
files = np.array([path.read_bytes() for path in sorted(folder.glob("*.png"))], dtype=object)
pixels = np.load(folder / "pixels.npy")[None]
answers = {}


def tensor(array, datatype, name="image", **more):
    one = module.InferInput(name, list(array.shape), datatype)
    one.set_data_from_numpy(array, **more)
    return one


def record(name, call):
    try:
        answers[name] = call()
    except module.InferenceServerException as error:
        answers[name] = {"error": str(error.status())}


def infer(model, one, **more):
    result = client.infer(model, [one], **more)
    response = result.get_response() if kind == "http" else result.get_response(as_json=True)
    outputs = {}
    for output in response["outputs"]:
        array = result.as_numpy(output["name"])
        values = [v.decode() if isinstance(v, bytes) else v for v in array.reshape(-1).tolist()]
        outputs[output["name"]] = [output["datatype"], [int(size) for size in output["shape"]], values]
    return {
        "outputs": outputs,
        "order": list(outputs),
        "id": response.get("id", ""),
        "version": response["model_version"],
    }


def wanted(*names, **more):
    return [module.InferRequestedOutput(name, **more) for name in names]


record("files", lambda: infer("single", tensor(files, "BYTES")))
record("one file", lambda: infer("single", tensor(files[:1], "BYTES")))
record("pixels", lambda: infer(pixel_model, tensor(pixels, "UINT8")))
record("request id", lambda: infer("single", tensor(files, "BYTES"), request_id="an id: 7"))
record("version", lambda: infer("single", tensor(files, "BYTES"), model_version="1"))
record("outputs as asked", lambda: infer("single", tensor(files, "BYTES"), outputs=wanted("unknown", "probabilities")))
record(
    "classification",
    lambda: infer("single", tensor(files[:1], "BYTES"), outputs=wanted("probabilities", class_count=2)),
)
if kind == "http":
    record("json pixels", lambda: infer(pixel_model, tensor(pixels, "UINT8", binary_data=False)))
    in_json = wanted("probabilities", "label", "set", binary_data=False)
    record("json out", lambda: infer("single", tensor(files, "BYTES"), outputs=in_json))
record("not a picture", lambda: infer("single", tensor(np.array([b"no"], dtype=object), "BYTES")))
record("unknown model", lambda: infer("nobody", tensor(files, "BYTES")))
record("unknown version", lambda: infer("single", tensor(files, "BYTES"), model_version="9"))
record("unknown input", lambda: infer("single", tensor(files, "BYTES", name="picture")))
record("unknown output", lambda: infer("single", tensor(files, "BYTES"), outputs=wanted("logits")))
record("wrong datatype", lambda: infer("single", tensor(pixels.astype(np.float32), "FP32")))
record("wrong rank", lambda: infer("single", tensor(files.reshape(1, -1), "BYTES")))
record("live", client.is_server_live)
record("ready", client.is_server_ready)
record("model ready", lambda: client.is_model_ready("single"))
record("model version ready", lambda: client.is_model_ready("single", "1"))
record("unknown model ready", lambda: client.is_model_ready("nobody"))
record("unknown version ready", lambda: client.is_model_ready("single", "9"))
as_json = {} if kind == "http" else {"as_json": True}
record("metadata", lambda: client.get_model_metadata("single", **as_json))
record("unknown metadata", lambda: client.get_model_metadata("nobody", **as_json))
record("unknown version's metadata", lambda: client.get_model_metadata("single", "9", **as_json))
record("server", lambda: client.get_server_metadata(**as_json))
record("statistics", lambda: client.get_inference_statistics("single", **as_json))
record("unknown statistics", lambda: client.get_inference_statistics("nobody", **as_json))
record("index", lambda: client.get_model_repository_index(**as_json))
record("load", lambda: client.load_model("single"))
print(json.dumps(answers))
