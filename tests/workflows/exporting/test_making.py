"""A format is made, run, compared and put in its place. In: a run of colours, small formats. Out: folders, cards, refusals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.bundle import open_model
from tellapart.data.examples import Example
from tellapart.data.examples_csv import write_examples
from tellapart.data.targets import ClassName
from tellapart.errors import DataError, ExportError
from tellapart.export.table import FORMATS, OURS, ExportStep, Format
from tellapart.export.tools import Environment, environment
from tellapart.reporter import Silent
from tellapart.reporting.blocks import Table
from tellapart.reporting.phrases import LANGUAGES, Phrases
from tellapart.runs.exported import exports_section, read_cards
from tellapart.runs.open import OpenRun
from tellapart.workflows.exporting.job import ExportJob, begin
from tellapart.workflows.exporting.making import export_one

COLOURS = {"红色": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
# A runtime that takes the second class for the first and so on, or gives no numbers at all.
WRONG = """
import shutil
from pathlib import Path

def convert(source, target, options):
    target.mkdir()
    shutil.copyfile(source, target / "graph.onnx")

def load(path, options):
    import onnxruntime
    session = onnxruntime.InferenceSession(str(path / "graph.onnx"), providers=["CPUExecutionProvider"])
    def compute(images):
        found = dict(zip(options["outputs"], session.run(options["outputs"], {"image": images})))
        found["probabilities"] = found["probabilities"][:, FAULT
        return found
    return compute
"""


def write_run(folder: Path, model: bytes) -> OpenRun:
    """A folder with the model and six pictures, all of them of the test split."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(model)
    examples = []
    for number in range(6):
        name = list(COLOURS)[number % 3]
        pixels = np.full((20, 20, 3), COLOURS[name], dtype=np.uint8)
        pixels[number, number] = 128
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        digest = f"{number:032x}"
        examples.append(
            Example(
                path=path, target=ClassName(name), split="test", group=digest, content_hash=digest, width=20, height=20
            )
        )
    write_examples(folder / "examples.csv", examples)
    return OpenRun(folder)


@pytest.fixture(scope="module")
def ours() -> Environment:
    return environment(OURS, folder=None, reporter=Silent())


@pytest.fixture
def job(tmp_path: Path, tiny_bytes: bytes, ours: Environment) -> ExportJob:
    (tmp_path / "work").mkdir()
    run = write_run(tmp_path / "run", tiny_bytes)
    return begin(run, environments={OURS: ours}, calibrated=False, work=tmp_path / "work", reporter=Silent())


def wrong(folder: Path, fault: str) -> Format:
    (folder / "wrong.py").write_text(WRONG.replace("FAULT", fault))
    step = ExportStep(tool=OURS, code=str(folder / "wrong"))
    return Format(name="wrong", file="1", steps=[step], runtime=step, said="", numbered=True)


def test_onnx_is_folded_opens_as_a_model_and_has_a_card(job: ExportJob, tmp_path: Path) -> None:
    exported = export_one(job, FORMATS["onnx"], tmp_path / "exports", most_flipped=0)
    assert exported.path == tmp_path / "exports" / "onnx" / "model.onnx"
    images = np.asarray(job.asked.inputs)
    opened = open_model(exported.path)
    assert opened.manifest == job.run.manifest
    np.testing.assert_array_equal(opened.run(images)[0], job.run.model.run(images)[0])
    told = exported.as_json()
    assert {name: told[name] for name in ("format", "flipped", "largest_difference")} == {
        "format": "onnx",
        "flipped": 0,
        "largest_difference": 0.0,
    }
    assert told["score"] == {
        "name": "accuracy",
        "value": 1.0,
        **{name: told["score"][name] for name in ("low", "high")},
    }
    assert set(told["milliseconds"]) == {"one", "sixteen", "at_once"}
    assert told["megabytes"] == pytest.approx(exported.path.stat().st_size / 1e6, abs=1e-3)
    card = json.loads((exported.folder / "card.json").read_text())
    assert card["before"]["score"] == card["score"]
    assert card["figures"]["accuracy"] == {"before": 1.0, "after": 1.0}
    assert "log_loss" in card["figures"]
    assert "per_class" not in card["figures"]
    assert (card["answers"], card["pictures"], card["refused"]) == (6, 6, "")
    assert card["inputs"] == [{"name": "image", "type": "uint8", "shape": ["N", 16, 16, 3]}]
    assert [one["name"] for one in card["outputs"]] == ["probabilities", "embedding"]
    assert not [path for path in (tmp_path / "exports").iterdir() if path.name.startswith(".")]


def test_what_changes_too_many_answers_is_kept_under_another_name(job: ExportJob, tmp_path: Path) -> None:
    swapped, exports = wrong(tmp_path, "[1, 2, 0]]"), tmp_path / "exports"
    for version in ("1", "2"):  # as it is asked for, it is taken, in numbered versions
        assert export_one(job, swapped, exports, most_flipped=None).path == exports / "wrong" / version
    refused = export_one(job, swapped, exports, most_flipped=0.5)
    assert refused.folder == exports / "wrong.refused"
    assert refused.refused == "6 of 6 answers changed, 100.0 %; at most 50.0 % may"
    assert sorted(path.name for path in (exports / "wrong").iterdir()) == ["1", "2", "card.json"]
    assert (exports / "wrong.refused" / "1").is_dir()
    assert refused.notes[-1].startswith("It computes in float32, and still 'probabilities' differs by ")
    cards = read_cards(tmp_path)
    assert [(card.format, bool(card.refused)) for card in cards] == [("wrong", False), ("wrong", True)]
    for language in LANGUAGES:
        section = exports_section(tmp_path, Phrases(language))
        assert section is not None
        _, table = section.blocks
        assert isinstance(table, Table)
        assert [row[0] for row in table.rows][:2] == ["model.onnx", "wrong"]
        assert table.rows[1][3] == {"en": "6 of 6", "zh": "6 个中的 6 个"}[language]


def test_of_a_model_with_views_litert_is_given_a_graph_of_any_number() -> None:
    """With one picture its converter takes the axis of views for another, and answers otherwise."""
    for name in ("litert", "litert-float16", "litert-int8"):
        assert FORMATS[name].batch == 1
        assert (FORMATS[name].shape(32).batch, FORMATS[name].shape(32, views=True).batch) == (1, None)
    assert FORMATS["coreml"].shape(32, views=True).batch == FORMATS["coreml"].batch


def test_what_answers_alike_by_other_numbers_is_refused_too(job: ExportJob, tmp_path: Path) -> None:
    """A converter that makes something else of a layer may leave most answers as they are."""
    bent, exports = wrong(tmp_path, "[0, 1, 2]] * 0.9"), tmp_path / "exports"
    refused = export_one(job, bent, exports, most_flipped=0.5)
    assert refused.change is not None
    assert refused.change.flipped == 0
    assert refused.refused.startswith(
        "it computes in float32, and 'probabilities' differs by 10 % of its largest number"
    )
    assert export_one(job, bent, exports, most_flipped=1.0).refused == ""
    halved = replace(bent, exact=False)  # what is stored in fewer bits may be further off
    assert export_one(job, halved, exports, most_flipped=0.5).refused == ""


def test_numbers_that_are_none_stop_a_format_and_leave_the_earlier_one(job: ExportJob, tmp_path: Path) -> None:
    exports = tmp_path / "exports"
    export_one(job, wrong(tmp_path, "[0, 1, 2]]"), exports, most_flipped=None)
    with pytest.raises(
        ExportError, match=r"^wrong gives numbers that are none \(NaN\) for 'probabilities'\. Choose another"
    ):
        export_one(job, wrong(tmp_path, "[0, 1, 2]] * float('nan')"), exports, most_flipped=None)
    assert [path.name for path in exports.iterdir()] == ["wrong"]
    assert sorted(path.name for path in (exports / "wrong").iterdir()) == ["1", "card.json"]


def test_what_is_not_run_says_so(job: ExportJob, tmp_path: Path) -> None:
    written = replace(wrong(tmp_path, "[0, 1, 2]]"), runtime=None)
    exported = export_one(job, written, tmp_path / "exports", most_flipped=0)
    assert exported.as_json()["score"] is exported.as_json()["milliseconds"] is None
    assert exported.notes[0].startswith("Written, not run: ")
    assert exports_section(tmp_path, Phrases("en")) is not None


def test_int8_without_training_pictures_says_why(job: ExportJob, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^int8 needs training pictures, which tell it how large numbers become: "):
        begin(job.run, environments={}, calibrated=True, work=tmp_path / "work", reporter=Silent())


def test_a_damaged_card_is_named(tmp_path: Path) -> None:
    card = tmp_path / "exports" / "onnx" / "card.json"
    card.parent.mkdir(parents=True)
    for text in ("{", "[]", '{"format": "onnx"}', " " * 2**21):
        card.write_text(text)
        with pytest.raises(
            DataError, match=r"^\S+card\.json is damaged\. Without it the report does not tell of that format"
        ):
            read_cards(tmp_path)
    assert exports_section(tmp_path / "elsewhere", Phrases("en")) is None
