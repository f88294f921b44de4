"""Every format by its own converter and runtime. In: a small network from scratch. Out: the answers of model.onnx.

Runs with `pytest -m export` alone: it makes the environments of heavy converters, or finds them in TELLAPART_TOOLS.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import tellapart
from tellapart.export.table import FORMATS
from tellapart.reporter import Silent
from tellapart.workflows.export import ExportResult, export

from .conftest import save_digits

pytestmark = pytest.mark.export
SMALL = {
    "network": {"name": "lenet5", "size": 32, "channels": 1},
    "loop": {"epochs": 8, "batch_size": 16, "learning_rate": 3e-3},
    "report": False,
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, own_cache: Path) -> ExportResult:
    """Of one call for all formats, so that those that are made of one conversion share it."""
    folder = tmp_path_factory.mktemp("formats")
    pictures = save_digits(folder / "pictures", each=30)
    trained = tellapart.train(pictures, out=folder / "runs", strategy="scratch", device="cpu", settings=SMALL)
    tools = os.environ.get("TELLAPART_TOOLS")
    return export(trained.run, list(FORMATS), reporter=Silent(), tools=Path(tools) if tools else None)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_answers_as_the_model_does(result: ExportResult, name: str) -> None:
    assert name not in dict(result.failed), dict(result.failed)[name]
    (one,) = [made for made in result.exported if made.format == name]
    card: dict[str, Any] = json.loads((one.folder / "card.json").read_text())
    assert not one.refused
    assert Path(one.path).exists()
    if FORMATS[name].runtime is None:
        assert card["score"] is None
        return
    assert card["flipped"] <= (0 if FORMATS[name].exact else 1)
    assert card["largest_difference"] < (1e-4 if FORMATS[name].exact else 0.2)
    assert not [note for note in card["notes"] if "differs by" in note]
