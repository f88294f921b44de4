"""Every format by its own converter and runtime. In: a small network from scratch. Out: the answers of model.onnx.

Runs with `pytest -m export` alone: it makes the environments of heavy converters, or finds them in TELLAPART_TOOLS.
"""

from __future__ import annotations

import json
import os
import subprocess
from importlib.resources import files as files_of
from pathlib import Path
from typing import Any

import pytest

import tellapart
from tellapart.export.golden import read_golden
from tellapart.export.table import FORMATS
from tellapart.export.tools import environ, environment
from tellapart.reporter import Silent
from tellapart.workflows.export import ExportResult, export

from .conftest import save_digits

pytestmark = pytest.mark.export
TOOLS = Path(os.environ["TELLAPART_TOOLS"]) if "TELLAPART_TOOLS" in os.environ else None
# What a client of TensorFlow Serving asks: files, by the signature `encoded` of what `tf.saved_model.load` opens.
ASK = """
import importlib.util, json, sys
from pathlib import Path
code, model, *files = sys.argv[1:]
found = importlib.util.spec_from_file_location("saved_model", code)
module = importlib.util.module_from_spec(found)
found.loader.exec_module(module)
answers = module.encoded(Path(model), [Path(file).read_bytes() for file in files])
print(json.dumps({name: values.tolist() for name, values in answers.items()}))
"""
SMALL = {
    # Half a million weights: of 256 KB and more LiteRT's quantiser writes another kind of file.
    "network": {
        "size": 32,
        "channels": 1,
        "blocks": [{"filters": 8}, {"filters": 16}],
        "flatten": True,
        "dense": [{"units": 512}],
    },
    "loop": {"epochs": 8, "batch_size": 16, "learning_rate": 3e-3},
    "report": False,
}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory, own_cache: Path) -> ExportResult:
    """Of one call for all formats, so that those that are made of one conversion share it."""
    folder = tmp_path_factory.mktemp("formats")
    pictures = save_digits(folder / "pictures", each=30)
    trained = tellapart.train(pictures, out=folder / "runs", strategy="scratch", device="cpu", settings=SMALL)
    return export(trained.run, list(FORMATS), reporter=Silent(), tools=TOOLS)


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


def test_the_saved_model_takes_files_and_its_versions_are_numbered(result: ExportResult) -> None:
    (one,) = [made for made in result.exported if made.format == "tensorflow"]
    golden = read_golden(one.folder / "proof" / "golden")
    files = [one.folder / "proof" / "golden" / row["source"]["file"] for row in golden]
    python = environment("tensorflow", folder=TOOLS, reporter=Silent()).python
    code = files_of("tellapart.export") / "formats" / "saved_model.py"
    asked = subprocess.run(
        [str(python), "-c", ASK, str(code), str(one.path), *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
        env=environ(),
    )
    told = json.loads(asked.stdout.splitlines()[-1])
    every = zip(golden, files, told["probabilities"], strict=True)
    compared = [one for one in every if not one[0]["source"]["made"]]  # it turns nothing, and decodes large files whole
    assert len(compared) > 5
    for row, own, probabilities in compared:
        answer = json.loads((own.parent / "answer.json").read_text())
        right = {each["label"]: each["probability"] for each in answer["classes"]}
        names = sorted(right)
        assert probabilities == pytest.approx([right[name] for name in names], abs=0.05), row["name"]
    assert one.path.name == "1"
    again = export(one.folder.parent.parent, ["tensorflow"], reporter=Silent(), tools=TOOLS)
    assert [made.path.name for made in again.exported] == ["2"]
    assert {path.name for path in one.folder.iterdir()} >= {"1", "2", "card.json", "proof"}
