"""What every reader in the table keeps to. In: READERS, the other tables. Out: the same tasks in all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tellapart.cli.tasks import READ_TASKS, TASKS
from tellapart.data.audit import audit_json, build_audit
from tellapart.data.examples import Entry, Inspection, Listing
from tellapart.data.mask_names import with_names
from tellapart.data.readers import READERS, correction_cells
from tellapart.data.targets import KINDS, Box, Boxes, ClassName, ClassNames, MaskFile, Target
from tellapart.errors import DataError
from tellapart.tasks import table

# A picture of each task, and one that shows something else.
TARGETS: dict[str, tuple[Target, Target]] = {
    "classification": (ClassName("cat"), ClassName("dog")),
    "multilabel": (ClassNames(("cat",), ("dog",)), ClassNames(("dog", "hen"))),
    "text": (ClassName("cat"), ClassName("dog")),
    "segmentation": (MaskFile(Path("cat.png"), ("cat",)), MaskFile(Path("dog.png"), ("dog",))),
    "detection": (Boxes((Box("cat", 1, 1, 9, 9),)), Boxes((Box("dog", 1, 1, 9, 9),))),
}


def test_the_tables_have_the_same_tasks() -> None:
    assert [reader.name for reader in READERS.values()] == list(READERS) == list(TARGETS)
    assert tuple(READERS) == READ_TASKS
    assert set(table.TASKS) == set(TASKS) <= set(READERS)
    for name, targets in TARGETS.items():
        assert {type(target) for target in targets} == {KINDS[READERS[name].name]}


@pytest.mark.parametrize("name", list(READERS))
def test_what_is_read_can_be_looked_at_whole(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two copies of one picture, of which one must be wrong, and one that cannot be read."""
    monkeypatch.chdir(tmp_path)
    for value, mask in enumerate(("cat.png", "dog.png")):
        Image.new("L", (20, 20), value).save(mask)
    one, other = TARGETS[name]
    targets = (one, other, one)
    entries = tuple(
        Entry(path=Path(f"{number}.png"), target=target, split=None) for number, target in enumerate(targets)
    )
    inspections = [
        Inspection(file_hash=f"{number:064x}", content_hash="a" * 32, width=20, height=20, thumbnail=bytes(1024))
        for number in range(2)
    ]
    inspections.append(Inspection(file_hash="f" * 64, problem="broken"))
    reader = READERS[name]
    listing = Listing(
        source=Path("here"),
        entries=entries,
        classes=("cat", "dog", "hen"),
        task=reader.name,
        told_values=with_names(["cat", "dog", "hen"], "--classes"),
    )
    settled, kept = reader.settle(listing, inspections)
    # A mask knows its areas besides.
    assert [(type(entry.target), entry.target.classes) for entry in settled.entries] == [
        (type(target), target.classes) for target in targets
    ]
    assert kept == inspections
    audit = build_audit(settled, kept)
    assert [(conflict.paths, conflict.exact) for conflict in audit.two_labels] == [
        ((Path("0.png"), Path("1.png")), True)
    ]
    record = audit_json(audit)
    assert (audit.own is None) == (reader.name == "classification")
    if audit.own is not None:
        assert record["task"] == reader.name
        assert record[audit.own.name]["pictures"] == {"": 2}
    assert any(
        finding["message"].startswith(reader.words.contradiction.partition("{}")[0]) for finding in record["findings"]
    )


@pytest.mark.parametrize("name", list(READERS))
def test_corrections_are_read_or_refused_in_words(name: str) -> None:
    reader = READERS[name]
    listing = Listing(source=Path("here"), entries=(), classes=("cat", "dog"), task=reader.name)
    if reader.corrections is not None:
        assert correction_cells(listing, Path("fixed.csv")) is reader.corrections
        assert reader.corrections.hint.partition(" ")[0] in ("empty", "-")
    else:
        with pytest.raises(DataError, match=rf"here has {reader.words.several}\. Correct the annotations themselves"):
            correction_cells(listing, Path("fixed.csv"))


def test_a_target_has_other_names_and_tells_what_is_known() -> None:
    mapping = {"cat": "Cat", "dog": "Cat"}
    assert ClassName("cat").renamed(mapping) == ClassName("Cat")
    assert ClassName("cat").known == ("cat",)
    # In the set under one name, not known under the other: it is in the set.
    assert ClassNames(("cat", "hen"), ("dog",)).renamed(mapping) == ClassNames(("Cat", "hen"))
    assert ClassNames(("cat",), ("dog",)).known == ("cat", "dog")
    boxes = Boxes((Box("dog", 1, 2, 3, 4, difficult=True), Box("hen", 1, 2, 3, 4)))
    assert boxes.renamed(mapping) == Boxes((Box("Cat", 1, 2, 3, 4, difficult=True), Box("hen", 1, 2, 3, 4)))
    assert boxes.known == ("dog", "hen")
    mask = MaskFile(Path("mask.png"), ("cat",))
    assert mask.renamed(mapping) is mask
    assert mask.known == ("cat",)
