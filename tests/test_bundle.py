"""The one file: it works alone, and it notices when it is not what it was. In: bytes. Out: Model, or ModelFileError."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import onnx
import pytest

from tellapart.bundle import (
    DIGEST_KEY,
    MANIFEST_KEY,
    AbstentionRecord,
    ClassificationRecord,
    Manifest,
    MultilabelRecord,
    Score,
    open_model,
    read_manifest,
    seal,
)
from tellapart.errors import ModelFileError
from tellapart.evaluation.novelty import fit_novelty
from tellapart.export.assemble import assemble


def test_the_probabilities_are_the_formula(tiny_model: Path) -> None:
    images = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    images[0, ..., 0] = 255
    images[1, ..., 2] = 51
    probabilities, embedding = open_model(tiny_model).run(images)
    np.testing.assert_allclose(embedding, [[1, 0, 0], [0, 0, 0.2]], atol=1e-6)
    # By hand: logits (blue, green, red) = 10 x colour + (0.1, 0.2, 0.3), all divided by the temperature 0.5.
    exponentials = np.exp([[0.2, 0.4, 20.6], [4.2, 0.4, 0.6]])
    np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-5)


def test_the_manifest_comes_back_and_is_plain_onnx_metadata(tiny_model: Path, tiny_manifest: Manifest) -> None:
    assert read_manifest(tiny_model) == tiny_manifest
    assert open_model(tiny_model).manifest == tiny_manifest
    properties = {item.key: item.value for item in onnx.load(tiny_model).metadata_props}
    assert json.loads(properties[MANIFEST_KEY])["classes"] == ["blue", "green", "红色"]


def test_a_runs_folder_stands_for_its_model(tiny_model: Path) -> None:
    assert read_manifest(tiny_model.parent).classes[0] == "blue"


def test_there_is_no_pickle_in_it(tiny_bytes: bytes) -> None:
    assert b"\x80\x02" not in tiny_bytes[:4]
    assert all(node.domain == "" for node in onnx.load_from_string(tiny_bytes).graph.node)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_a_file_cut_short_is_refused(tiny_bytes: bytes, tmp_path: Path, share: float) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(tiny_bytes[: int(len(tiny_bytes) * share)])
    with pytest.raises(ModelFileError, match=r"cut short|not a tellapart model|altered"):
        read_manifest(path)


def test_a_file_that_is_cut_short_is_called_so(tiny_bytes: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(tiny_bytes[:-100])
    with pytest.raises(ModelFileError, match="cut short: its end is missing. Copy it again"):
        open_model(tmp_path / "model.onnx")


def test_edited_class_names_are_noticed(tiny_model: Path) -> None:
    model = onnx.load(tiny_model)
    for item in model.metadata_props:
        item.value = item.value.replace('"blue"', '"BLUE"')
    onnx.save(model, tiny_model)
    with pytest.raises(ModelFileError, match="altered or damaged after training"):
        open_model(tiny_model)


def test_any_changed_byte_is_noticed(tiny_bytes: bytes, tmp_path: Path) -> None:
    chance = random.Random(0)
    path = tmp_path / "model.onnx"
    for _ in range(300):
        data = bytearray(tiny_bytes)
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        path.write_bytes(data)
        with pytest.raises(ModelFileError):
            open_model(path)


def test_a_newer_schema_asks_for_an_upgrade(tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_with_manifest(tiny_network, tiny_manifest, {"schema_version": 5, "new_key": 1}))
    with pytest.raises(ModelFileError, match="manifest schema 5; this tellapart reads up to 4. Upgrade tellapart"):
        open_model(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"record": {"kind": "classification", "temperature": -1}},
            "breaks a rule at record.classification.temperature",
        ),
        ({"classes": ["a", "a"]}, "two classes have the same name"),
        ({"surprise": 1}, "breaks a rule at surprise"),
        ({"preprocessing": {}}, "breaks a rule at preprocessing"),
        ({"schema_version": 0}, "breaks a rule at schema_version"),
        ({"task": "painting"}, "breaks a rule at task"),
        (
            {"record": {"kind": "classification", "temperature": 1, "abstention": {"coverage": 1.5}}},
            "breaks a rule at record.classification.abstention.coverage",
        ),
    ],
)
def test_a_manifest_that_breaks_a_rule_is_refused(
    tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_with_manifest(tiny_network, tiny_manifest, change))
    with pytest.raises(ModelFileError, match=words):
        read_manifest(path)


@pytest.mark.parametrize("schema", [1, 2])
def test_files_of_older_schemas_answer_as_they_did(repository: Path, schema: int) -> None:
    """The two files were written by tellapart at the schema's time, with the network and the weights of `tiny_bytes`."""
    opened = open_model(repository / "tests" / "files" / f"schema_{schema}.onnx")
    assert (opened.manifest.schema_version, opened.manifest.task) == (4, "classification")
    record = opened.manifest.record_of(ClassificationRecord)
    assert record.temperature == 0.5
    images = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    images[1, ..., 2] = 51
    arrays = opened.compute(images, ("probabilities", "novelty"))
    # By hand, as above: logits (0.1, 0.2, 0.3) and (2.1, 0.2, 0.3), divided by the temperature.
    exponentials = np.exp([[0.2, 0.4, 0.6], [4.2, 0.4, 0.6]])
    expected = exponentials / exponentials.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(arrays["probabilities"], expected, rtol=1e-5)
    assert ("novelty" in arrays) == (schema == 2)
    if schema == 1:
        assert record.abstention is None
    else:
        assert record.abstention == AbstentionRecord(
            coverage=0.9,
            threshold=0.2,
            novelty_threshold=1.0,
            calibrated_on=40,
            measured_coverage=Score(value=0.91, low=0.8, high=0.97),
            mean_set_size=1.2,
            known=Score(value=0.95),
        )


def test_a_file_that_abstains_must_give_the_novelty(
    tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path
) -> None:
    record = AbstentionRecord(
        coverage=0.9,
        threshold=0.2,
        novelty_threshold=1.5,
        calibrated_on=50,
        measured_coverage=Score(value=0.91),
        mean_set_size=1.2,
        known=Score(value=0.9, low=0.8, high=0.95),
    )
    manifest = tiny_manifest.model_copy(update={"record": ClassificationRecord(temperature=1.0, abstention=record)})
    parts = {"weight": np.eye(3, dtype=np.float32), "bias": np.zeros(3, dtype=np.float32)}
    path = tmp_path / "model.onnx"
    path.write_bytes(assemble(tiny_network, **parts, manifest=manifest))
    with pytest.raises(ModelFileError, match="gives probabilities and embedding and novelty. Train it again"):
        open_model(path)
    novelty = fit_novelty(np.eye(3), np.arange(3)).arrays()
    path.write_bytes(assemble(tiny_network, **parts, manifest=manifest, novelty=novelty))
    opened = open_model(path)
    assert opened.manifest.record_of(ClassificationRecord).abstention == record
    images = np.full((2, 16, 16, 3), 40, dtype=np.uint8)
    (expected,) = opened.session.run(images, ["novelty"])
    np.testing.assert_array_equal(opened.compute(images, ("probabilities", "novelty"))["novelty"], expected)


def test_a_graph_of_another_shape_is_refused(tiny_network: Path, tiny_manifest: Manifest, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(_with_manifest(tiny_network, tiny_manifest, {}))
    with pytest.raises(ModelFileError, match="a tellapart model takes image"):
        open_model(path)


def test_other_files_are_refused(tiny_network: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="not a tellapart model: it has no manifest. Give a model.onnx of a run"):
        open_model(tiny_network)
    with pytest.raises(ModelFileError, match="there is no model at"):
        open_model(tmp_path / "nothing.onnx")
    with pytest.raises(ModelFileError, match="there is no model at"):
        open_model(tmp_path)


def test_a_graph_that_onnx_runtime_refuses_is_an_error_with_a_remedy(tmp_path: Path, tiny_manifest: Manifest) -> None:
    model = onnx.ModelProto(ir_version=8, producer_name="tellapart")
    model.opset_import.append(onnx.helper.make_opsetid("", 13))
    model.graph.node.append(onnx.helper.make_node("NoSuchOperator", ["image"], ["probabilities"]))
    onnx.helper.set_model_props(model, {MANIFEST_KEY: tiny_manifest.model_dump_json(), DIGEST_KEY: "0" * 64})
    (tmp_path / "model.onnx").write_bytes(seal(model.SerializeToString()))
    with pytest.raises(ModelFileError, match="cannot be loaded by ONNX Runtime .* Train it again, or upgrade"):
        open_model(tmp_path / "model.onnx")


def test_only_an_unsealed_file_can_be_sealed(tiny_bytes: bytes) -> None:
    with pytest.raises(ValueError, match="64 zeros"):
        seal(tiny_bytes)


def _with_manifest(network: Path, manifest: Manifest, change: dict[str, object]) -> bytes:
    model = onnx.load(network)
    text = json.dumps(manifest.model_dump() | change)
    onnx.helper.set_model_props(model, {MANIFEST_KEY: text, DIGEST_KEY: "0" * 64})
    return seal(model.SerializeToString())


def test_a_score_as_json_and_back() -> None:
    told = Score(value=0.5, low=0.25, high=None, method="wilson")
    assert told.model_dump() == {"value": 0.5, "low": 0.25, "high": None, "method": "wilson"}
    assert Score.model_validate(told.model_dump()) == told
    # A manifest does not say how an interval was found: a tellapart before this one would refuse the key.
    kept = Score.of(told.model_dump())
    assert kept.model_dump() == {"value": 0.5, "low": 0.25, "high": None}
    assert kept.model_dump_json() == '{"value":0.5,"low":0.25,"high":null}'
    assert Score.of({"value": 1.5}) == Score(value=1.5)


def test_a_file_of_schema_3_answers_as_it_did(repository: Path) -> None:
    """Written by tellapart at the schema's time: several classes a picture, the logit of each ten times the mean of its colour."""
    opened = open_model(repository / "tests" / "files" / "schema_3.onnx")
    assert (opened.manifest.schema_version, opened.manifest.task) == (4, "multilabel")
    record = opened.manifest.record_of(MultilabelRecord)
    assert (record.thresholds, record.threshold_rule, record.novelty_threshold) == ((0.5, 0.25, 0.75), "f1", 1.0)
    pixels = opened.manifest.preprocessing
    assert (pixels.fit, pixels.value_range, pixels.colour) == ("crop", None, "stored")
    images = np.zeros((2, 16, 16, 3), dtype=np.uint8)
    images[1, ..., 2] = 51
    # By hand: logits (0, 0, 0) and (2, 0, 0); scales (1, 1, 0.5) and offsets (-5, -5, -2).
    expected = 1 / (1 + np.exp([[5.0, 5.0, 2.0], [3.0, 5.0, 2.0]]))
    np.testing.assert_allclose(opened.compute(images, ("probabilities",))["probabilities"], expected, rtol=1e-5)
