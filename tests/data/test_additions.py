"""A folder of corrections joins the training and no test. In: listings, folders. Out: labels, splits, or a sentence."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tellapart.data.additions import Settled, add_pictures, settle
from tellapart.data.dataset import split_examples
from tellapart.data.examples import SPLITS, Entry, Inspection, Listing
from tellapart.data.folder import scan
from tellapart.data.inspection import inspect_all
from tellapart.data.split import assign_splits
from tellapart.data.targets import ClassName, ClassNames
from tellapart.errors import DataError
from tellapart.features.cache import Cache
from tellapart.features.caching import open_cache
from tellapart.workflows.learning.examine import examine
from tests.data.set_tables import read_label_sets


class Heard:
    """A Reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def step(self, title: str, total: int) -> object:
        import contextlib

        return contextlib.nullcontext(lambda count: None)

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.said.append(text)


def noise(path: Path, seed: int, size: int = 40) -> Path:
    """A picture that is like no other."""
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8))
    coarse.resize((size, size), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for number in range(12):
        noise(tmp_path / "pets" / ("cat" if number % 2 else "dog") / f"{number}.png", number)
    return tmp_path / "pets"


def corrections(folder: Path, rows: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.csv").write_text(
        "path,label,model\n" + "".join(f"{path},{label},m\n" for path, label in rows.items())
    )
    return folder


def settled(pets: Path, folder: Path) -> Settled:
    listing = add_pictures(scan(pets), folder)
    return settle(listing, inspect_all([entry.path for entry in listing.entries], workers=1))


def labels(listing: Listing) -> dict[str, str]:
    return {entry.path.name: entry.target.text for entry in listing.entries}


def test_new_pictures_are_added_and_known_ones_relabelled(pets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    noise(folder / "new.png", 100)
    Image.open(pets / "cat" / "1.png").save(folder / "known.bmp")  # the same pixels in another file
    Image.open(pets / "dog" / "2.png").save(folder / "right.png")
    found = settled(pets, corrections(folder, {"new.png": "dog", "known.bmp": "dog", "right.png": "dog"}))
    assert labels(found.listing) == labels(scan(pets)) | {"new.png": "dog"}
    said = {entry.path.name: entry.train_target for entry in found.listing.entries if entry.train_target}
    assert said == {"1.png": ClassName("dog")}
    assert [entry.path.name for entry in found.listing.entries if entry.added] == ["new.png"]
    assert len(found.inspections) == len(found.listing.entries)
    assert found.summary == (
        "1 corrected picture to train on as well; 1 correction of what was so already. 1 label of the data set corrected for "
        f"training ({pets / 'cat' / '1.png'}); in validation and test they stay as the data set has them."
    )


def test_the_table_is_checked(pets: Path, tmp_path: Path) -> None:
    def message(folder: Path) -> str:
        with pytest.raises(DataError) as caught:
            add_pictures(scan(pets), folder)
        return str(caught.value)

    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty") == (
        f"'{tmp_path / 'empty'}' is no folder of corrections: it has no labels.csv. Give the folder of `tellapart serve "
        "--corrections`, or a CSV with path,label."
    )
    folder = tmp_path / "corrections"
    noise(folder / "new.png", 100)
    assert message(corrections(folder, {"new.png": "dogs"})) == (
        f"the corrections '{folder / 'labels.csv'}' give the label 'dogs', which is none of the classes of {pets}. Did you mean "
        "'dog'? Change it there, or remove the row."
    )
    assert "names files that do not exist" in message(corrections(folder, {"gone.png": "dog"}))


def split_of(
    count: int, added: int, *, groups: list[str] | None = None, given: list[str | None] | None = None
) -> list[str]:
    total = count + added
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(total)]
    return list(
        assign_splits(
            targets=[ClassName("cat" if number % 2 else "dog") for number in range(total)],
            content_hashes=names,
            groups=groups or names,
            given=given or [None] * total,
            seed=3,
            added=[number >= count for number in range(total)],
        )
    )


@pytest.mark.parametrize("added", [1, 7, 200])
def test_the_data_set_is_split_as_without_corrections(added: int) -> None:
    with_them = split_of(60, added)
    assert with_them[:60] == split_of(60, 0)
    assert set(with_them[60:]) == {"train"}


def test_a_copy_of_a_test_picture_is_not_trained_on() -> None:
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(60)]
    without = split_of(60, 0)
    tested, trained = without.index("test"), without.index("train")
    found = split_of(60, 2, groups=[*names, names[tested], names[trained]])
    assert found[60:] == ["test", "train"]
    assert found[:60] == without
    given: list[str | None] = ["train"] * 50 + ["validation"] * 5 + ["test"] * 5
    found = split_of(60, 3, groups=[*names, names[52], names[57], names[3]], given=[*given, None, None, None])
    assert found == [*given, "validation", "test", "train"]


def test_corrections_alone_are_no_training_set() -> None:
    with pytest.raises(DataError) as caught:
        split_of(4, 4, given=["validation", "test"] * 2 + [None] * 4)
    assert "none of it for 'train'" in str(caught.value)


def test_the_way_of_train(pets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    noise(folder / "new.png", 100)
    heard = Heard()
    with open_cache() as cache:
        assert isinstance(cache, Cache)
        examined = examine(
            pets, corrections=corrections(folder, {"new.png": "dog"}), cache=cache, reporter=heard, workers=1
        )
    assert f"{folder}: 1 corrected picture to train on as well; 0 corrections" in heard.said[0]
    examples = split_examples(examined, seed=0)
    assert [example.split for example in examples if example.path.name == "new.png"] == ["train"]
    assert {example.split for example in examples} == {"train", "validation", "test"}


def test_what_was_added_is_no_leak_of_given_splits(tmp_path: Path) -> None:
    for number in range(12):
        split = ("train", "val", "test")[number % 3]
        noise(tmp_path / "pets" / split / ("cat" if number < 6 else "dog") / f"{number}.png", number)
    folder = tmp_path / "corrections"
    noise(folder / "copy.png", 2, size=44)  # nearly the same as a test picture
    with open_cache() as cache:
        examined = examine(
            tmp_path / "pets",
            corrections=corrections(folder, {"copy.png": "dog"}),
            cache=cache,
            reporter=Heard(),
            workers=1,
        )
    (added,) = [one for one in split_examples(examined, seed=0) if one.path.name == "copy.png"]
    assert (added.split, added.problem) == (None, "corrected, and alike to a picture of test")
    assert (examined.audit.leaks, examined.audit.leaked_indices) == ((), ())


def test_a_label_is_corrected_for_training_only(pets: Path, tmp_path: Path) -> None:
    def examples(*rows: Path) -> dict[str, tuple[str, str | None]]:
        wrong = {str(path): "cat" if path.parent.name == "dog" else "dog" for path in rows}
        folder = corrections(tmp_path / "corrections", wrong) if rows else None
        with open_cache() as cache:
            examined = examine(pets, corrections=folder, cache=cache, reporter=Heard(), workers=1)
        return {one.path.name: (one.target.text, one.split) for one in split_examples(examined, seed=0)}

    before = examples()
    chosen = {
        split: next(name for name, one in before.items() if one[1] == split)
        for split in ("train", "validation", "test")
    }
    files = {split: next(pets.glob(f"*/{name}")) for split, name in chosen.items()}
    after = examples(*files.values())
    assert {name: split for name, (_, split) in after.items()} == {name: split for name, (_, split) in before.items()}
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {chosen["train"]}


def test_no_class_is_corrected_away(pets: Path, tmp_path: Path) -> None:
    folder = corrections(tmp_path / "corrections", {str(path): "dog" for path in (pets / "cat").iterdir()})
    with open_cache() as cache:
        examined = examine(pets, corrections=folder, cache=cache, reporter=Heard(), workers=1)
    with pytest.raises(DataError) as caught:
        split_examples(examined, seed=0)
    assert "class 'cat' has no picture in train" in str(caught.value)


def test_a_split_in_the_table_of_corrections_counts_for_nothing(pets: Path, tmp_path: Path) -> None:
    """Whoever may ask the server writes that table: a correction must never get into a test."""
    folder = tmp_path / "corrections"
    rows = [f"{noise(folder / f'{split}.png', 100 + at).name},dog,{split}" for at, split in enumerate(SPLITS)]
    (folder / "labels.csv").write_text("\n".join(["path,label,split", *rows]))
    listing = add_pictures(scan(pets), folder)
    assert [(entry.split, entry.added) for entry in listing.entries[12:]] == [(None, True)] * 3
    with open_cache() as cache:
        examined = examine(pets, corrections=folder, cache=cache, reporter=Heard(), workers=1)
    found = {one.path.name: one.split for one in split_examples(examined, seed=0)}
    assert {found[f"{split}.png"] for split in SPLITS} == {"train"}
    assert set(found.values()) == set(SPLITS)


def test_one_that_agrees_with_a_copy_only_is_no_correction_in_vain(pets: Path, tmp_path: Path) -> None:
    """Two copies in the data set have different labels; the correction says which is right."""
    Image.open(pets / "cat" / "1.png").save(pets / "dog" / "twin.png")
    folder = tmp_path / "corrections"
    folder.mkdir()
    Image.open(pets / "cat" / "1.png").save(folder / "again.bmp")
    found = settled(pets, corrections(folder, {"again.bmp": "dog"}))
    assert (found.added, found.unchanged) == (0, 0)
    assert found.relabelled == (pets / "cat" / "1.png",)
    trained = {entry.path.name: entry.train_target for entry in found.listing.entries if entry.train_target}
    assert trained == {"1.png": ClassName("dog")}


def test_files_without_content_are_no_copies_of_each_other() -> None:
    """Two files that cannot be read have the same empty content hash, and are not the same picture."""
    paths = ("own.png", "corrected.png", "good.png")
    entries = [
        Entry(path=Path(path), target=ClassName("cat"), split=None, added=path == "corrected.png") for path in paths
    ]
    hashes = ("", "", "1" * 32)
    inspections = [Inspection(file_hash="", problem="" if one else "no picture", content_hash=one) for one in hashes]
    entries[1] = replace(entries[1], target=ClassName("dog"))
    found = settle(Listing(source=Path("pets"), entries=tuple(entries), classes=("cat", "dog")), inspections)
    assert [(entry.target.text, entry.train_target) for entry in found.listing.entries] == [
        ("cat", None),
        ("dog", None),
        ("cat", None),
    ]
    assert (found.added, found.relabelled, found.unchanged) == (1, (), 0)
    assert found.inspections == inspections


def test_what_was_kept_stays_beside_its_own_inspection(pets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    noise(folder / "new.png", 100)
    for number in (1, 3):
        Image.open(pets / "cat" / f"{number}.png").save(folder / f"known {number}.png")
    rows = {"known 1.png": "cat", "known 3.png": "cat", "new.png": "cat"}
    listing = add_pictures(scan(pets), corrections(folder, rows))
    inspections = inspect_all([entry.path for entry in listing.entries], workers=1)
    found = settle(listing, inspections)
    own = dict(zip([entry.path for entry in listing.entries], inspections, strict=True))
    assert found.inspections == [own[entry.path] for entry in found.listing.entries]
    assert (found.added, found.unchanged, len(found.listing.entries)) == (1, 2, 13)
    with pytest.raises(ValueError, match="shorter"):
        settle(listing, inspections[:-1])


@pytest.mark.parametrize(("count", "named"), [(3, "0.png, 1.png, 2.png)"), (4, "0.png, 1.png, 2.png and 1 more)")])
def test_the_first_three_pictures_are_named(count: int, named: str) -> None:
    relabelled = tuple(Path(f"{number}.png") for number in range(count))
    listing = Listing(source=Path("pets"), entries=(), classes=())
    found = Settled(listing=listing, inspections=[], added=1_200, relabelled=relabelled, unchanged=0)
    assert found.summary == (
        "1,200 corrected pictures to train on as well; 0 corrections of what was so already. "
        f"{count} labels of the data set corrected for training ({named}; in validation and test they stay as the data set "
        "has them."
    )
    none = replace(found, relabelled=())
    assert ". 0 labels of the data set corrected for training; in validation" in none.summary


def test_the_corrections_of_the_only_model_are_found_and_of_two_asked_for(pets: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corrections"
    noise(folder / "first" / "new.png", 100)
    corrections(folder / "first", {"new.png": "dog"})
    assert add_pictures(scan(pets), folder).entries[-1].path == folder / "first" / "new.png"
    corrections(folder / "second", {"../first/new.png": "dog"})
    with pytest.raises(DataError) as caught:
        add_pictures(scan(pets), folder)
    assert str(caught.value) == (
        f"'{folder}' holds corrections of 2 models. Give the folder of the one that learns from these pictures, such as "
        f"'{folder / 'first'}'."
    )
    corrections(folder, {"first/new.png": "cat"})
    assert add_pictures(scan(pets), folder).entries[-1].target == ClassName("cat")  # the folder's own table comes first


def test_a_class_whose_name_ends_in_a_space_is_meant_by_cells_without_it(tmp_path: Path) -> None:
    noise(tmp_path / "pets" / "cat " / "1.png", 1)
    noise(tmp_path / "pets" / "dog" / "2.png", 2)
    folder = tmp_path / "corrections"
    noise(folder / "new.png", 100)
    listing = add_pictures(scan(tmp_path / "pets"), corrections(folder, {"new.png": "cat"}))
    assert listing.entries[-1].target == ClassName("cat ")
    with pytest.raises(DataError) as caught:
        add_pictures(scan(tmp_path / "pets"), corrections(folder, {"new.png": "zebra"}))
    assert "Did you mean" not in str(caught.value)


def test_sets_of_classes_are_added_and_correct_whole_sets(tmp_path: Path) -> None:
    for number in range(4):
        noise(tmp_path / "data" / f"{number}.png", number)
    table = tmp_path / "data" / "table.csv"
    table.write_text("path,labels\n0.png,a|b\n1.png,a\n2.png,\n3.png,b\n")
    folder = tmp_path / "corrections"
    noise(folder / "new.png", 100)
    Image.open(tmp_path / "data" / "1.png").save(folder / "known.bmp")
    Image.open(tmp_path / "data" / "0.png").save(folder / "right.png")
    corrections(folder, {"new.png": "", "known.bmp": "b", "right.png": "b|a"})
    listing = add_pictures(read_label_sets(table), folder)
    found = settle(listing, inspect_all([entry.path for entry in listing.entries], workers=1))
    assert labels(found.listing) == {"0.png": "a|b", "1.png": "a", "2.png": "", "3.png": "b", "new.png": ""}
    assert found.listing.entries[1].train_target == ClassNames(("b",))
    assert (found.added, found.unchanged, found.relabelled) == (1, 1, (tmp_path / "data" / "1.png",))
    assert add_pictures(read_label_sets(table), folder, ";").entries == listing.entries  # the server writes |
    with pytest.raises(DataError, match="give the label 'c', which is none of the classes"):
        add_pictures(read_label_sets(table), corrections(folder, {"new.png": "a|?c"}))
