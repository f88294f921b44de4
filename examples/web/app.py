"""A web page that asks a model server, as tutorials have it: Flask in front, `tellapart serve` behind.

    tellapart serve runs/latest
    pip install flask
    MODEL_SERVER=http://127.0.0.1:8501 flask --app examples/web/app.py run

The page speaks TensorFlow Serving's REST, so that any server of that protocol can stand behind it.
"""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from flask import Flask, render_template, request

MOST_BYTES = 16 * 1024 * 1024  # of an upload
SECONDS = 30
SHOWN = 5  # classes


def create_app(server: str | None = None, model: str | None = None) -> Flask:
    """The application; `server` and `model` are those of the environment where they are not told."""
    address = (server or os.environ.get("MODEL_SERVER", "http://127.0.0.1:8501")).rstrip("/")
    app = Flask(__name__, root_path=str(Path(__file__).resolve().parent))
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES

    @app.get("/")
    def page() -> str:
        return render_template("page.html", rows=None, error="")

    @app.post("/")
    def classify() -> tuple[str, int]:
        file = request.files.get("picture")
        if file is None or not file.filename:
            return render_template("page.html", rows=None, error="Choose a picture first. 请先选择图片。"), 400
        try:
            rows = ask(address, model or os.environ.get("MODEL_NAME", "latest"), file.read())
        except ServerTrouble as trouble:
            return render_template("page.html", rows=None, error=str(trouble)), trouble.status
        return render_template("page.html", rows=rows, error=""), 200

    return app


class ServerTrouble(Exception):
    """The model server refused, or did not answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def ask(server: str, model: str, picture: bytes) -> list[tuple[str, float]]:
    """The likeliest classes with their probabilities. Raises: ServerTrouble."""
    body = {"examples": [{"image": {"b64": base64.b64encode(picture).decode()}}]}
    answer = _post(f"{server}/v1/models/{model}:classify", body)
    rows = [(str(name), float(probability)) for name, probability in answer["results"][0]]
    return sorted(rows, key=lambda row: -row[1])[:SHOWN]


def _post(address: str, body: dict[str, Any]) -> dict[str, Any]:
    asked = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        try:
            reason = str(json.load(error).get("error", error))
        except ValueError:
            reason = str(error)
        raise ServerTrouble(reason, 400 if error.code < 500 else 502) from None
    except (OSError, ValueError) as error:
        raise ServerTrouble(f"The model server does not answer ({error}).", 502) from None


if __name__ == "__main__":
    create_app().run(port=5000)
