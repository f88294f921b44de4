"""The bundle of a model of texts proves itself, and names a step done otherwise. In: a made model. Out: what the samples say."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from tellapart.texts.cleaning import clean
from tellapart.texts.ngrams import Rules
from tellapart.texts.vocabulary import GramInputs
from tellapart.training.ngram_counts import learn_grams
from tellapart.workflows.exporting.texts import MADE, specification, write_proof
from tests.export.test_ngrams import assembled, manifest

WAIT = 300  # seconds; only what hangs takes as long
TEXTS = ["a fine film", "so dull", "fine weather \u65e0\u7a7a\u683c", "d\u00fcll stra\u00dfe, isn't it?"]


@pytest.fixture(scope="module", params=[False, True], ids=["words apart", "across"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rules = Rules(characters=(1, 2), across=True) if request.param else Rules(words=(1, 2), characters=(2, 3))
    folder = tmp_path_factory.mktemp("bundle")
    inputs, frequency = learn_grams([clean(text) for text in TEXTS], rules, least=1)
    chance = np.random.default_rng(0)
    weight = chance.normal(size=(3, len(inputs.known))).astype(np.float32)
    made = {"inputs": inputs, "frequency": frequency, "weight": weight, "bias": np.zeros(3, np.float32)}
    (folder / "model.onnx").write_bytes(assembled(made, manifest(rules)))
    write_proof(folder / "model.onnx", [*TEXTS, *MADE], folder / "proof", ["python", "javascript"])
    return folder / "proof"


def ran(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=WAIT)


def test_the_sample_in_python_makes_the_same(bundle: Path) -> None:
    done = ran(sys.executable, "self_test.py", cwd=bundle / "python")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 texts: cleaning, n-grams and numbers are the same" in done.stdout
    assert "the network says the same" in done.stdout


def test_the_sample_in_javascript_makes_the_same(bundle: Path, lacks: Callable[[str], NoReturn]) -> None:
    if shutil.which("node") is None:
        lacks("node is not installed")
    done = ran("node", "self_test.js", cwd=bundle / "javascript")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 texts" in done.stdout


def test_a_step_that_is_done_otherwise_is_named(bundle: Path, tmp_path: Path) -> None:
    golden = json.loads((bundle / "golden.json").read_text(encoding="utf-8"))
    mine = {str(number): {"cleaned": one["cleaned"], "tokens": one["tokens"]} for number, one in enumerate(golden, 1)}
    mine["5"] = {**mine["5"], "cleaned": golden[4]["text"].strip()}
    (tmp_path / "mine.json").write_text(json.dumps(mine), encoding="utf-8")
    done = ran(sys.executable, "self_test.py", tmp_path / "mine.json", cwd=bundle / "python")
    assert (done.returncode, "text 5, step 1 (cleaning)" in done.stdout) == (1, True)
    mine["5"] = {"cleaned": golden[4]["cleaned"], "tokens": [row[:-1] for row in golden[4]["tokens"]]}
    (tmp_path / "mine.json").write_text(json.dumps(mine), encoding="utf-8")
    done = ran(sys.executable, "self_test.py", tmp_path / "mine.json", cwd=bundle / "python")
    assert "text 5, steps 2 and 3" in done.stdout


def test_what_is_told_suffices() -> None:
    inputs, _ = learn_grams(["a b"], Rules(words=(1,)), least=1)
    told = specification(("x", "y"), inputs)
    assert told["folds"]["\u00df"] == "ss"
    assert told["words"] == [1]
    assert GramInputs(rules=inputs.rules, known=np.sort(inputs.known)).height == 1
