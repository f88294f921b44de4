"""A run made smaller. In: a small finished run. Out: another run, before and after; what cannot be done is told."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tellapart.bundle import open_model, read_manifest
from tellapart.cli import speaking
from tellapart.cli.compress import told
from tellapart.cli.info import command as info
from tellapart.cli.translating import translate
from tellapart.compression.counting import heavy_layers
from tellapart.compression.int8 import Int8
from tellapart.compression.pruning import PruningStep
from tellapart.errors import CompressionMissed, DataError, ExportError, ModelFileError, SettingsError, StorageError
from tellapart.manifest import CompressionStep, EngineScore
from tellapart.openvino_session import OpenVinoSession
from tellapart.preprocessing import load
from tellapart.record_parts import Score
from tellapart.reporter import Silent
from tellapart.reporting.blocks import Table
from tellapart.reporting.phrases import LANGUAGES, Phrases
from tellapart.runs.compressed import compressed_section
from tellapart.runs.finished import open_finished
from tellapart.serving.engines import MOST_LOST
from tellapart.serving.quickest import read_quickest
from tellapart.workflows.compress import compress
from tellapart.workflows.compressing import concluding, integers
from tellapart.workflows.compressing.compressible import open_compressible
from tellapart.workflows.compressing.concluding import Compressed
from tellapart.workflows.compressing.integers import by_harm, to_int8
from tellapart.workflows.compressing.pruned import told_of
from tellapart.workflows.compressing.refitting import with_own_classifier
from tellapart.workflows.rating.asking import ask_split

from .compressing.made_finished import write_finished


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_finished(tmp_path_factory.mktemp("compress"))


@pytest.fixture(scope="module")
def small(run: Path) -> Compressed:
    return compress(run, int8=True, most_lost=20, reporter=Silent(), out=run.parent / "small")


class Idle(Silent):
    """Of a command that must be refused before it does anything."""

    def step(self, title: str, total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        raise AssertionError(title)


def left(folder: Path) -> list[str]:
    """What lies beside the run, hidden folders too."""
    return sorted(one.name for one in folder.iterdir())


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="openvino is not installed")
def test_which_engine_is_the_quickest_is_kept_where_it_may_be_taken(small: Compressed) -> None:
    kept = read_quickest(small.run / "model.onnx", (small.run / "model.onnx").read_bytes())
    by = open_finished(small.run).manifest.compression
    assert by is not None
    assert (kept is not None) == (
        by.by_openvino is not None and by.by_openvino.score.value >= by.after.score.value - MOST_LOST
    )


def test_the_result_is_a_run_like_any_other(run: Path, small: Compressed) -> None:
    opened = open_finished(small.run)
    assert opened.metrics["test"]["n"] == small.pictures == 15
    assert len(opened.predictions.paths) == 15
    assert opened.manifest.scores["accuracy"].value == pytest.approx(small.after.score.value)
    assert opened.manifest.strategy == "probe"
    assert opened.manifest.record.kind == "classification"
    assert (small.run / "model.onnx").stat().st_size / 1e6 == pytest.approx(small.after.megabytes, abs=0.003)


def test_before_is_what_the_run_said(run: Path, small: Compressed) -> None:
    before = open_finished(run)
    said = before.metrics["test"]
    assert small.before.score.value == pytest.approx(said["accuracy"]["value"])
    assert small.before.log_loss == pytest.approx(said["log_loss"]["value"], abs=1e-4)
    assert small.before.calibration_error == pytest.approx(said["calibration_error"]["after"], abs=1e-4)
    assert small.before.macs == small.after.macs == 64 * 64 * 27 + 64 * 64 * 9 + 64 * 128 + _behind(run)


def _behind(run: Path) -> int:
    """The classifier's product, and what novelty multiplies, of one picture."""
    model, image = (run / "model.onnx").read_bytes(), np.zeros((1, 16, 16, 3), np.uint8)
    return sum(one.macs for one in heavy_layers(model, image) if one.name not in ("stem", "own", "dense"))


def test_answers_are_those_of_the_file(run: Path, small: Compressed) -> None:
    model, opened = open_model(small.run), open_finished(small.run)
    images = np.stack([load(path.read_bytes(), opened.preprocessing) for path in opened.predictions.paths])
    probabilities, _ = model.run(images)
    np.testing.assert_allclose(probabilities, opened.predictions.probabilities, atol=1e-4)
    before, _ = open_model(run).run(images)
    assert small.change.largest == pytest.approx(float(np.abs(before - probabilities).max()), abs=1e-5)
    assert small.change.flipped == int((before.argmax(1) != probabilities.argmax(1)).sum())


def test_the_story_is_in_the_manifest(run: Path, small: Compressed) -> None:
    story = read_manifest(small.run).compression
    assert story is not None
    assert story.integers
    assert [step.kind for step in story.steps] == ["int8"]
    assert story.before.score.value == small.before.score.value
    assert story.steps[0].facts["pictures"] == 24
    assert (
        "of 3 layers with weights in 8-bit integers, with ranges from 24 training pictures, accuracy on validation"
        in story.steps[0].told
    )
    assert read_manifest(run).compression is None
    assert "compression" not in read_manifest(run).model_dump_json()


def test_json_has_before_and_after(run: Path, small: Compressed) -> None:
    found = small.as_json()
    for side, folder in (("before", run), ("after", small.run)):
        of_export = {"format", "path", "score", "flipped", "largest_difference", "milliseconds", "megabytes"}
        assert of_export | {"macs"} <= found[side].keys()
        assert found[side]["format"] == "onnx"
        assert Path(found[side]["path"]) == folder / "model.onnx"
        assert found[side]["score"]["name"] == "accuracy"
    assert found["before"]["flipped"] == 0
    assert found["after"]["megabytes"] < found["before"]["megabytes"]


def test_integers_are_tested_by_the_other_engine_too(small: Compressed) -> None:
    pytest.importorskip("openvino")
    story = read_manifest(small.run).compression
    assert story is not None
    assert story.by_openvino is not None
    assert re.fullmatch(r"OpenVINO [\d.]+", story.by_openvino.engine)
    session = OpenVinoSession((small.run / "model.onnx").read_bytes(), precision="float32", threads=1)
    opened = open_finished(small.run)
    images = np.stack([load(path.read_bytes(), opened.preprocessing) for path in opened.predictions.paths])
    (found,) = session.run(images, ["probabilities"])
    usual, _ = open_model(small.run).run(images)
    assert story.by_openvino.flipped == int((found.argmax(1) != usual.argmax(1)).sum())
    assert story.by_openvino.largest == pytest.approx(float(np.abs(found - usual).max()), abs=1e-5)
    assert small.as_json()["after"]["openvino"]["score"]["value"] == story.by_openvino.score.value
    engine = story.by_openvino.engine
    assert any(line.startswith(f"Of the same pictures, through {engine}: ") for line in told(small))
    assert f"by {engine} " in CliRunner().invoke(info, [str(small.run)]).output


def test_halves(run: Path, tmp_path: Path) -> None:
    found = compress(run, float16=True, reporter=Silent(), out=tmp_path / "half")
    assert found.change.flipped == 0
    assert 0 < (found.change.largest or 0) < 0.01
    story = read_manifest(found.run).compression
    assert story is not None
    assert not story.integers


def test_layers_that_hurt_most_are_spared_first_until_it_is_refused(run: Path, tmp_path: Path) -> None:
    work = open_compressible(run, tmp_path, Silent())
    images = np.asarray(ask_split(work.run, "train", tmp_path, Silent()).inputs)
    network = Int8(work.network, images)
    network.ranges["f"] = (
        np.float32(-1000),
        np.float32(1000),
    )  # what flows into the last layer is rounded far too coarsely
    assert by_harm(work, network, network.made(), images[:4])[0] == "dense"
    # More than all is asked for.
    with pytest.raises(
        CompressionMissed, match=r"accuracy on validation falls by .* even with 1 layer left in float32"
    ):
        to_int8(work, most_lost=-101)


def test_without_a_bound_as_little_is_lost_as_can_be(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = open_compressible(run, tmp_path, Silent())
    monkeypatch.setattr(integers, "_usual_bound", lambda work: -101.0)
    step = to_int8(work).steps[-1]
    assert step.kind == "int8"
    assert step.facts["validation"]["after"] <= 1


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def test_weights_that_learn_to_be_rounded(run: Path, small: Compressed, tmp_path: Path) -> None:
    found = compress(run, int8=True, qat=True, most_lost=20, reporter=Silent(), out=tmp_path / "a")
    assert left(tmp_path) == ["a"]
    (step,) = found.steps
    assert step.facts["aware"]["distance_after"] < step.facts["aware"]["distance_before"]
    assert "training pictures, accuracy on validation" in step.told
    assert " % after; weights that have learned to be rounded" in step.told
    assert read_manifest(found.run).compression.integers  # type: ignore[union-attr]
    assert found.after.macs == small.after.macs
    assert found.after.megabytes == pytest.approx(small.after.megabytes, abs=0.002)


def test_weights_learn_by_themselves_where_sparing_layers_does_not_suffice(run: Path, tmp_path: Path) -> None:
    work, heard = open_compressible(run, tmp_path, Silent()), Heard()
    # More than all is asked for.
    with pytest.raises(CompressionMissed):
        to_int8(replace(work, reporter=heard), most_lost=-101)
    assert any(one.startswith("distance of the integers from the float network: ") for one in heard.said)


def test_a_network_that_torch_cannot_run_does_not_learn(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> None:
        raise ExportError("torch has no counterpart of the operator Odd, in the layer 'a'.")

    work = open_compressible(run, tmp_path, Silent())
    monkeypatch.setattr(integers, "_aware", unknown)
    with pytest.raises(SettingsError, match=r"--qat cannot train this network: .*Odd.* Or leave --qat out"):
        to_int8(work, qat=True)
    with pytest.raises(CompressionMissed):
        to_int8(work, most_lost=-101)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, r"nothing was asked for.*--int8, --float16"),
        (
            {"float16": True, "qat": True},
            r"--qat teaches weights to be rounded, and --int8 was not asked for. Give it, too",
        ),
        ({"float16": True, "most_lost": 1.0}, r"--most-lost bounds what --int8 may cost, which was not asked for"),
        ({"unlabelled": ["more"]}, r"--unlabelled gives pictures for a teacher to judge, and there is none"),
        ({"epochs": 3}, r"--epochs is of --prune and --distill, and neither was asked for"),
        ({"int8": True, "most_lost": -1.0}, r"--most-lost is -1; it must be points from 0 to 100"),
        ({"int8": True, "most_lost": float("nan")}, r"--most-lost is nan"),
    ],
)
def test_bad_settings(run: Path, tmp_path: Path, given: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        compress(run, reporter=Silent(), out=tmp_path / "a", **given)  # type: ignore[arg-type]
    assert left(tmp_path) == []


def test_what_is_no_run_is_refused(run: Path, small: Compressed, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not the folder of a run"):
        compress(tmp_path, int8=True, reporter=Silent(), out=tmp_path / "a")
    with pytest.raises(SettingsError, match=f"is not the folder of a run.*Give {re.escape(str(run))}."):
        compress(run / "model.onnx", int8=True, reporter=Silent(), out=tmp_path / "a")
    with pytest.raises(SettingsError, match=r"computes in 8-bit integers already.*Give the run that it came from"):
        compress(small.run, int8=True, reporter=Silent(), out=tmp_path / "a")
    with pytest.raises(StorageError, match="is there already, and nothing is overwritten unasked"):
        compress(run, int8=True, reporter=Silent(), out=small.run)
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot use .*: a part of the path is a file, not a folder"):
        compress(run, int8=True, reporter=Idle(), out=tmp_path / "file" / "deep" / "a")
    broken = tmp_path / "broken"
    shutil.copytree(run, broken)
    (broken / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError):
        compress(broken, int8=True, reporter=Silent(), out=tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_moved_pictures(run: Path, tmp_path: Path) -> None:
    moved = tmp_path / "run"
    shutil.copytree(run, moved)
    text = (moved / "examples.csv").read_text().replace(str(run.parent / "pictures"), str(tmp_path / "gone"))
    (moved / "examples.csv").write_text(text)
    recipe = (moved / "recipe.toml").read_text().replace(str(run.parent / "pictures"), str(tmp_path / "gone"))
    (moved / "recipe.toml").write_text(recipe)
    predictions = (moved / "predictions.csv").read_text()
    (moved / "predictions.csv").write_text(predictions.replace(str(run.parent / "pictures"), str(tmp_path / "gone")))
    with pytest.raises(
        DataError, match=r"of the 24 pictures of the train split .* 24 are not there.*--pictures FOLDER"
    ):
        compress(moved, int8=True, reporter=Silent(), out=tmp_path / "a")
    found = compress(
        moved, int8=True, most_lost=20, reporter=Silent(), out=tmp_path / "a", pictures=run.parent / "pictures"
    )
    opened = open_finished(found.run)
    assert opened.missing == 0
    assert opened.settings.data == str(run.parent / "pictures")


def test_a_full_disk_leaves_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise StorageError(f"{path} cannot be written: the disk is full.")

    monkeypatch.setattr(concluding, "write_bytes", full)
    with pytest.raises(StorageError, match="the disk is full"):
        compress(run, float16=True, reporter=Silent(), out=tmp_path / "a")
    assert left(tmp_path) == []


def test_a_classifier_of_its_own_where_that_is_better(run: Path, tmp_path: Path) -> None:
    work = open_compressible(run, tmp_path, Silent())
    worse = replace(work.candidate, weight=-work.candidate.weight)  # type: ignore[type-var]
    step = CompressionStep(kind="int8", told="done")
    found = with_own_classifier(replace(work, candidate=worse, steps=(step,)))
    assert found.steps[0].told.startswith("done; its classifier fitted anew (log loss ")
    assert found.candidate is not worse
    rows = work.dataset.rows["validation"]
    right = found.candidate.logits(rows).argmax(axis=1) == work.dataset.targets[rows]  # type: ignore[attr-defined]
    assert right.mean() > 0.8
    # Of what is right as it is nothing changes.
    again = with_own_classifier(replace(found, steps=(step,)))
    assert again.steps == (step,)
    assert again.candidate.weight is found.candidate.weight  # type: ignore[attr-defined]


def test_the_report_and_info_tell_of_it(run: Path, small: Compressed) -> None:
    for language in LANGUAGES:
        phrases = Phrases(language)
        section = compressed_section(open_finished(small.run).metrics, phrases)
        assert section is not None
        table = next(block for block in section.blocks if isinstance(block, Table))
        assert ("–", "–") not in [row[1:] for row in table.rows]
        rows = {str(row[0]): row[1:] for row in table.rows}
        assert rows[phrases("compare_megabytes")] == (f"{small.before.megabytes:.1f}", f"{small.after.megabytes:.1f}")
    assert compressed_section(open_finished(run).metrics, Phrases("en")) is None
    with pytest.raises(DataError, match="does not tell of the compression as a run does"):
        compressed_section({"compression": {"before": {}}}, Phrases("en"))
    shown = CliRunner().invoke(info, [str(small.run)]).output
    assert "made smaller" in shown
    assert "before that" in shown
    assert "made smaller" not in CliRunner().invoke(info, [str(run)]).output


def test_the_table_in_chinese(small: Compressed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "speaks_chinese", lambda: True)
    cut = PruningStep(number=1, cuts=(), multiply_adds=1, saved=0.2, harm=0.0)
    steps = [small.steps[0].told, f"{small.steps[0].told}; weights that have learned to be rounded"]
    steps += [
        told_of([cut], 0.2, taught=taught, heard=heard)
        for taught, heard in ((False, True), (True, True), (True, False))
    ]
    steps += [f"{one}; its classifier fitted anew (log loss 0.030, then 0.010)" for one in steps]
    steps.append("learned from tf_efficientnet_lite0 (probe), by the training pictures")
    every = replace(small, steps=tuple(CompressionStep(kind="distilled", told=one) for one in steps))
    lines = [translate(line) for line in told(every)]
    assert [
        line
        for line in lines[:-2]
        if re.search(
            "[a-z]{3,}", re.sub("distilled|tf_efficientnet_lite0|probe|OpenVINO|Runtime|--engine onnxruntime", "", line)
        )
    ] == []
    head, *rows = (line for line in lines[:8] if "（" not in line)
    assert {len(line.encode("gb18030")) for line in rows} == {
        len(head.encode("gb18030"))
    }  # a Chinese letter has two columns


def test_the_table_on_the_screen(small: Compressed) -> None:
    lines = told(small)
    assert lines[0].split() == ["before", "after"]
    assert any(line.startswith("megabytes") for line in lines)
    assert (
        f"On 15 test pictures, the same for both: Accuracy changes by {100 * small.change.score.value:+.2f}"
        in "\n".join(lines)
    )
    assert lines[-1].endswith(str(small.run))


@pytest.mark.parametrize(("flipped", "warned"), [(0, False), (1, True)])
def test_an_engine_by_which_it_is_another_model_is_warned_of(small: Compressed, flipped: int, warned: bool) -> None:
    other = EngineScore(engine="OpenVINO 1", score=Score(value=0.5), flipped=flipped, largest=0.8)
    lines = told(replace(small, compared=replace(small.compared, by_openvino=other)))
    warning = "! Through OpenVINO 1 it is another model. Serve it with --engine onnxruntime."
    assert (warning in lines) == warned
