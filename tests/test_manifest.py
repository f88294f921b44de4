"""What travels with a network. In: manifests as JSON. Out: the same as values, or the rule that they break."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from tellapart.errors import ModelFileError
from tellapart.manifest import Manifest
from tellapart.records import ClassificationRecord, MultilabelRecord

SEVERAL = {
    "kind": "multilabel",
    "scales": [1.0, 0.5, 2.0],
    "offsets": [0.0, -1.0, 0.25],
    "thresholds": [0.5, 0.3, 0.9],
    "threshold_rule": "f1",
    "novelty_threshold": 1.5,
    "calibrated_on": 40,
}

BOXES = SEVERAL | {"kind": "detection", "overlap": 0.6, "most": 10, "least_score": 0.01}


def changed(manifest: Manifest, **more: Any) -> dict[str, Any]:
    return manifest.model_dump(mode="json") | more


def test_each_task_has_a_record_of_its_own(tiny_manifest: Manifest) -> None:
    found = Manifest.model_validate(changed(tiny_manifest, task="multilabel", record=SEVERAL))
    record = found.record_of(MultilabelRecord)
    assert record.thresholds == (0.5, 0.3, 0.9)
    assert Manifest.model_validate_json(found.model_dump_json()) == found
    with pytest.raises(ModelFileError, match="the model is of the task 'multilabel', for which this cannot be done"):
        found.record_of(ClassificationRecord)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"record": SEVERAL}, "the task is classification, and the record is of multilabel"),
        (
            {"task": "multilabel", "record": SEVERAL | {"scales": [1.0]}},
            "scales are 1 numbers; there must be a finite one",
        ),
        ({"task": "multilabel", "record": SEVERAL | {"offsets": [0, 0, float("nan")]}}, "offsets are 3 numbers"),
        ({"task": "multilabel", "record": SEVERAL | {"thresholds": [0.5] * 4}}, "thresholds are 4 numbers"),
        ({"task": "multilabel", "record": SEVERAL | {"kind": "other"}}, "kind"),
        ({"classes": ["one"]}, "there is one class; a classifier chooses among two or more"),
        ({"classes": []}, "classes"),
    ],
)
def test_parts_that_do_not_agree_are_refused(tiny_manifest: Manifest, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Manifest.model_validate(changed(tiny_manifest, **change))


def test_one_class_may_be_there_or_not(tiny_manifest: Manifest) -> None:
    alone = SEVERAL | {"scales": [1.0], "offsets": [0.0], "thresholds": [0.5]}
    found = Manifest.model_validate(changed(tiny_manifest, task="multilabel", classes=["scratch"], record=alone))
    assert found.classes == ("scratch",)


@pytest.mark.parametrize("schema", [1, 2])
def test_what_older_schemas_had_beside_everything_else_moves_into_the_record(
    tiny_manifest: Manifest, schema: int
) -> None:
    old = changed(tiny_manifest, schema_version=schema, temperature=0.25)
    del old["task"], old["record"]
    found = Manifest.model_validate(old)
    assert found == tiny_manifest.model_copy(update={"record": ClassificationRecord(temperature=0.25)})
    with pytest.raises(ValidationError, match="temperature"):
        Manifest.model_validate({name: value for name, value in old.items() if name != "temperature"})
    with pytest.raises(ValidationError, match="surprise"):
        Manifest.model_validate(old | {"surprise": 1})


def test_what_the_network_must_give_follows_from_the_record() -> None:
    assert ClassificationRecord(temperature=1.0).promised == ("probabilities", "embedding")
    assert MultilabelRecord.model_validate(SEVERAL).promised == ("probabilities", "embedding", "novelty")
    assert MultilabelRecord.model_validate(SEVERAL | {"novelty_threshold": None}).promised == (
        "probabilities",
        "embedding",
    )


def test_merged_names_travel_where_there_are_any(tiny_manifest: Manifest) -> None:
    assert "merged" not in tiny_manifest.model_dump(mode="json")["data"]  # so that older programs open the file
    data = tiny_manifest.model_dump(mode="json")["data"] | {"merged": {"Cat": "cat"}}
    found = Manifest.model_validate(changed(tiny_manifest, data=data))
    assert found.data.merged == {"Cat": "cat"}
    assert Manifest.model_validate_json(found.model_dump_json()) == found


def test_only_what_is_cut_into_tiles_says_how(tiny_manifest: Manifest) -> None:
    """So that a manifest of before tiles, and of pictures that are not cut, is as it was."""
    whole = changed(tiny_manifest)
    assert {"overlap", "scale"}.isdisjoint(whole["preprocessing"])
    inputs = whole["preprocessing"] | {"fit": "tile", "overlap": 8, "scale": 0.5}
    found = Manifest.model_validate(whole | {"task": "detection", "record": BOXES, "preprocessing": inputs})
    assert found.model_dump(mode="json")["preprocessing"] == inputs
    assert (found.preprocessing.plain().overlap, found.preprocessing.plain().scale) == (8, 0.5)
    with pytest.raises(
        ValidationError, match="pictures are cut into tiles, and answers of the task classification are not"
    ):
        Manifest.model_validate(whole | {"preprocessing": inputs})
    size = inputs["size"]
    with pytest.raises(
        ValidationError, match=f"tiles of {size} pixels share {size}; they must share fewer than they have"
    ):
        Manifest.model_validate(
            whole | {"task": "detection", "record": BOXES, "preprocessing": inputs | {"overlap": size}}
        )
