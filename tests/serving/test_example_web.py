"""The web page that asks a model server. In: uploads. Out: what the server says, or its reasons; names are escaped."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import Running, expected


@pytest.fixture(scope="module")
def web(repository: Path) -> Any:
    spec = importlib.util.spec_from_file_location("example_web", repository / "examples" / "web" / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_picture_is_classified(web: Any, shared: Running, shared_models: Path, pictures: list[bytes]) -> None:
    client = web.create_app(f"http://127.0.0.1:{shared.http_port}", "single").test_client()
    assert "Choose" not in client.get("/").text
    page = client.post("/", data={"picture": (io.BytesIO(pictures[0]), "a.png")}).text
    most = expected(shared_models / "single" / "model.onnx", pictures[:1]).max()
    assert f"{100 * most:.1f} %" in page


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [
        ({}, 400, "Choose a picture first"),
        ({"picture": (io.BytesIO(b"no picture"), "a.png")}, 400, "picture 1 of 1 cannot be used"),
    ],
)
def test_what_cannot_be_classified(web: Any, shared: Running, data: dict[str, Any], status: int, reason: str) -> None:
    client = web.create_app(f"http://127.0.0.1:{shared.http_port}", "single").test_client()
    reply = client.post("/", data=data)
    assert reply.status_code == status
    assert reason in reply.text


def test_without_a_model_server(web: Any, pictures: list[bytes]) -> None:
    client = web.create_app("http://127.0.0.1:9", "single").test_client()
    reply = client.post("/", data={"picture": (io.BytesIO(pictures[0]), "a.png")})
    assert reply.status_code == 502
    assert "The model server does not answer" in reply.text


def test_names_of_classes_are_escaped(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "ask", lambda *arguments: [("<script>alert(1)</script>", 0.5)])
    page = (
        web.create_app("http://127.0.0.1:9").test_client().post("/", data={"picture": (io.BytesIO(b"x"), "a.png")}).text
    )
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_compose_file_connects_them(repository: Path) -> None:
    services = yaml.safe_load((repository / "examples" / "web" / "compose.yaml").read_text(encoding="utf-8"))[
        "services"
    ]
    assert services["web"]["environment"]["MODEL_SERVER"] == "http://model:8501"
    assert services["model"]["command"][0] == f"{services['web']['environment']['MODEL_NAME']}=/models"
    assert all(port.startswith("127.0.0.1:") for port in services["web"]["ports"])
    assert (repository / "examples" / "web" / services["model"]["build"]["context"] / "deploy" / "Dockerfile").is_file()
