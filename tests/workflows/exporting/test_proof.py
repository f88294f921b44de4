"""What goes along with each format. In: a run of colours. Out: bundles as links, whose pictures, the page of the browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassName
from tellapart.errors import ExportError
from tellapart.export.table import FORMATS, OURS
from tellapart.export.tools import environment
from tellapart.reporter import Silent
from tellapart.runs.open import OpenRun
from tellapart.workflows.exporting.job import begin
from tellapart.workflows.exporting.making import export_one
from tellapart.workflows.exporting.proof import Proof
from tellapart.workflows.exporting.web_runtime import web_runtime


@pytest.fixture
def run(tmp_path: Path, tiny_bytes: bytes) -> OpenRun:
    """A model with three pictures of the test split and one of another."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(tiny_bytes)
    examples = []
    for number, name in enumerate(("红色", "green", "blue", "blue")):
        path = folder / f"{number}.png"
        Image.fromarray(np.full((20, 24, 3), 60 * number, dtype=np.uint8)).save(path)
        digest, split = f"{number:032x}", "test" if number < 3 else "train"
        examples.append(
            Example(
                path=path, target=ClassName(name), split=split, group=digest, content_hash=digest, width=24, height=20
            )
        )
    write_examples(folder / "examples.csv", examples)
    return OpenRun(folder)


def pictures(folder: Path) -> list[str]:
    found = json.loads((folder / "proof" / "golden" / "golden.json").read_text())["pictures"]
    return [one["source"]["sha256"] for one in found]


def test_every_format_has_the_same_bundle_of_the_test_splits_pictures(run: OpenRun, tmp_path: Path) -> None:
    proof = Proof(run=run, languages=["c++"], made_pictures=False, web_runtime=None)
    for name in ("onnx", "litert", "work"):
        (tmp_path / name).mkdir()
    for name in ("onnx", "litert"):
        proof.add(FORMATS[name], tmp_path / name, tmp_path / "work")
    assert len(set(pictures(tmp_path / "onnx"))) == 3 + 3  # the run's own, and what stands in for kinds that it has not
    one, other = (tmp_path / name / "proof" / "model.onnx" for name in ("onnx", "litert"))
    assert one.samefile(other)
    assert [path.name for path in (tmp_path / "onnx").iterdir()] == ["proof"]
    assert "int size = 16;" in (tmp_path / "onnx" / "proof" / "cpp" / "preprocess.hpp").read_text()


def test_no_picture_of_the_user_is_in_it_where_made_ones_are_asked_for(run: OpenRun, tmp_path: Path) -> None:
    own = Proof(run=run, languages=[], made_pictures=False, web_runtime=None)
    made = Proof(run=run, languages=[], made_pictures=True, web_runtime=None)
    for name, proof in (("own", own), ("made", made)):
        (tmp_path / name / "work").mkdir(parents=True)
        proof.add(FORMATS["onnx"], tmp_path / name, tmp_path / name / "work")
    assert len(pictures(tmp_path / "made")) == 10
    shared = set(pictures(tmp_path / "made")) & set(pictures(tmp_path / "own"))
    assert len(shared) == 3  # made ones stand in among the run's own, too


def test_a_model_without_pictures_has_no_bundle_and_no_page(run: OpenRun, tmp_path: Path) -> None:
    run.manifest = run.manifest.model_copy(update={"pictures": None})
    proof = Proof(run=run, languages=["python"], made_pictures=False, web_runtime=tmp_path)
    (tmp_path / "onnx").mkdir()
    proof.add(FORMATS["onnx"], tmp_path / "onnx", tmp_path)
    assert not list((tmp_path / "onnx").iterdir())
    with pytest.raises(
        ExportError, match="the page shows pictures, and the model takes none, .* Choose another format"
    ):
        proof.add(FORMATS["browser"], tmp_path / "onnx", tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_the_page_is_run_on_the_test_split_in_node(run: OpenRun, tmp_path: Path, repository: Path) -> None:
    tools = repository / ".npm"
    if not (tools / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("npm's packages are not here: .ci/run fetches them")
    runtime, work = web_runtime(tools), tmp_path / "work"
    work.mkdir()
    environments = {OURS: environment(OURS, folder=None, reporter=Silent())}
    job = begin(run, environments=environments, calibrated=False, work=work, reporter=Silent(), web_runtime=runtime)
    proof = Proof(run=run, languages=["python"], made_pictures=False, web_runtime=runtime)
    form = FORMATS["browser"]
    exported = export_one(
        job, form, tmp_path / "exports", most_flipped=0, finish=lambda folder: proof.add(form, folder, work)
    )
    assert exported.refused == ""
    assert exported.change is not None
    assert exported.change.largest is not None
    assert exported.change.largest < 1e-5
    assert {path.name for path in exported.folder.iterdir()} == {
        *("card.json", "check.html", "file", "index.html", "model.onnx", "page", "proof"),
    }
