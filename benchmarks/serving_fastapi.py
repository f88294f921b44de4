"""The server that people write first: FastAPI, a request is a run of the network. In: model.onnx. Out: labels. Next: serving.py."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime
from fastapi import FastAPI, UploadFile

from tellapart.bundle import read_manifest
from tellapart.preprocessing import Preprocessing, load

MODEL = Path(os.environ["MODEL"])
manifest = read_manifest(MODEL)
preprocessing = Preprocessing(**manifest.preprocessing.model_dump())
session = onnxruntime.InferenceSession(str(MODEL))  # as it comes: as many threads as there are cores
app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/predict")
def predict(file: UploadFile) -> dict[str, object]:
    """FastAPI runs it in one of its forty threads."""
    return classify(file.file.read())


@app.post("/predict-async")
async def predict_async(file: UploadFile) -> dict[str, object]:
    """As its guide writes endpoints for files; the loop stands still while the network runs."""
    return classify(await file.read())


def classify(data: bytes) -> dict[str, object]:
    image = load(data, preprocessing)
    probabilities = session.run(["probabilities"], {"image": image[None]})[0][0]
    best = int(probabilities.argmax())
    return {"label": manifest.classes[best], "probability": float(probabilities[best])}
