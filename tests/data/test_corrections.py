"""Labels corrected by a CSV, and every way in which one can be wrong. In: listings. Out: other labels, or a sentence."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from tellapart.data.corrections import LEFT_OUT, correct, path_in
from tellapart.data.examples import Example, Listing, ReadOptions
from tellapart.data.examples_csv import write_examples
from tellapart.data.folder import scan
from tellapart.data.listing import read_listing
from tellapart.data.table import read_table
from tellapart.data.targets import ClassName, ClassNames
from tellapart.errors import DataError, StorageError
from tests.data.set_tables import read_label_sets


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    for name in ("cat/1.png", "cat/2.png", "cat/é 3.png", "dog/1.png", "dog/2.png", "狗/1.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return scan(tmp_path / "pets")


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "fixed.csv"
    path.write_bytes(text.encode(encoding))
    return path


def labels_of(listing: Listing) -> dict[str, str]:
    return {entry.path.relative_to(listing.source).as_posix(): entry.target.text for entry in listing.entries}


def message(listing: Listing, path: Path, error: type[Exception] = DataError) -> str:
    with pytest.raises(error) as caught:
        correct(listing, path)
    return str(caught.value)


def test_labels_are_changed_and_pictures_left_out(listing: Listing, tmp_path: Path) -> None:
    path = write(
        tmp_path, "path,label,suggested,score\ncat/2.png,dog,dog,0.99\ndog/1.png,,cat,0.9\ncat/1.png,cat,dog,0.8\n"
    )
    corrected = correct(listing, path)
    assert labels_of(corrected.listing) == {
        "cat/1.png": "cat",
        "cat/2.png": "dog",
        "cat/é 3.png": "cat",
        "dog/2.png": "dog",
        "狗/1.png": "狗",
    }
    assert (corrected.changed, corrected.left_out, corrected.unchanged) == (1, 1, 1)
    assert corrected.listing.ignored[LEFT_OUT] == 1
    assert corrected.summary == f"{path}: 1 label corrected, 1 picture left out, 1 as they were."
    assert labels_of(listing)["cat/2.png"] == "cat"  # the listing that was given is as it was


def test_a_class_without_a_picture_left_is_no_class(listing: Listing, tmp_path: Path) -> None:
    corrected = correct(listing, write(tmp_path, "path,label\n狗/1.png,dog\n")).listing
    assert corrected.classes == ("cat", "dog")
    assert correct(listing, write(tmp_path, "path,label\n狗/1.png,\n")).listing.classes == ("cat", "dog")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_what_a_spreadsheet_saved(listing: Listing, tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "Label;PATH\r\n狗;dog\\2.png\r\n;\r\n dog ; cat/é 3.png \r\n", encoding)
    found = labels_of(correct(listing, path).listing)
    assert (found["dog/2.png"], found["cat/é 3.png"]) == ("狗", "dog")


def test_whole_paths_and_detours_name_the_same_picture(listing: Listing, tmp_path: Path) -> None:
    whole = os.path.abspath(listing.source / "cat/1.png")
    found = labels_of(correct(listing, write(tmp_path, f"path,label\n{whole},dog\ndog/../cat/2.png,dog\n")).listing)
    assert (found["cat/1.png"], found["cat/2.png"]) == ("dog", "dog")


def test_a_run_s_examples_are_corrections(listing: Listing, tmp_path: Path) -> None:
    path = tmp_path / "examples.csv"
    examples = [
        Example(
            path=Path(os.path.abspath(entry.path)),
            target=ClassName("dog"),
            split="train",
            group="",
            content_hash="",
            width=1,
            height=1,
        )
        for entry in listing.entries
    ]
    write_examples(path, examples)
    assert set(labels_of(correct(listing, path).listing).values()) == {"dog"}


def test_a_table_s_paths_count_from_its_folder(listing: Listing, tmp_path: Path) -> None:
    table = tmp_path / "pets" / "pets.csv"
    table.write_text("path,label,split\ncat/1.png,cat,train\ndog/1.png,dog,test\n", encoding="utf-8")
    corrected = correct(read_table(table), write(tmp_path, "path,label,split\ncat/1.png,dog,anything\n")).listing
    assert [(entry.path.parent.name, entry.target.text, entry.split) for entry in corrected.entries] == [
        ("cat", "dog", "train"),
        ("dog", "dog", "test"),
    ]


def test_nothing_to_correct(listing: Listing, tmp_path: Path) -> None:
    corrected = correct(listing, write(tmp_path, "path,label\n"))
    assert corrected.listing == listing
    assert (corrected.changed, corrected.left_out, corrected.unchanged) == (0, 0, 0)


def test_a_path_as_a_correction_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert path_in(tmp_path / "pets", tmp_path / "pets" / "cat" / "1.png") == "cat/1.png"
    monkeypatch.chdir(tmp_path)
    assert path_in(Path("pets"), Path("elsewhere/1.png")) == (Path.cwd() / "elsewhere/1.png").as_posix()


def test_unknown_paths(listing: Listing, tmp_path: Path) -> None:
    text = message(listing, write(tmp_path, "path,label\ncat/1.png,dog\ncat/é3.png,dog\ncow/2.png,dog\n"))
    assert "name pictures that" in text
    assert "does not hold, 2 of 3: 'cat/é3.png' (row 3), 'cow/2.png' (row 4)." in text
    assert "Did you mean 'cat/é 3.png'?" in text
    assert f"Paths count from the folder {str(listing.source)!r}." in text
    assert "Did you mean 'cat/2.png'?" in message(listing, write(tmp_path, "path,label\ncow/2.png,dog\n"))
    assert "Did you mean" not in message(listing, write(tmp_path, "path,label\nx/y,dog\n"))


def test_unknown_classes(listing: Listing, tmp_path: Path) -> None:
    text = message(listing, write(tmp_path, "path,label\ncat/1.png,dogg\ncat/2.png,dog\ndog/1.png,dogg\n"))
    assert "give the label 'dogg', in rows 2 and 4, which is none of the classes. Did you mean 'dog'?" in text
    assert "The classes are: cat, dog, 狗. An empty label leaves the picture out." in text


def test_many_classes_are_not_all_named(tmp_path: Path) -> None:
    for number in range(1000):
        (tmp_path / "many" / f"c{number:03}").mkdir(parents=True)
        (tmp_path / "many" / f"c{number:03}" / "1.png").touch()
    text = message(scan(tmp_path / "many"), write(tmp_path, "path,label\nc001/1.png,zebra\n"))
    assert "c008, c009 and 990 more." in text


def test_a_path_twice(listing: Listing, tmp_path: Path) -> None:
    text = message(listing, write(tmp_path, "path,label\ncat/1.png,dog\ncat/2.png,dog\ndog/../cat/1.png,cat\n"))
    assert "'dog/../cat/1.png' stands twice in the corrections" in text
    assert "in row 2 and row 4. Keep one of the two rows." in text


def test_missing_columns_and_paths(listing: Listing, tmp_path: Path) -> None:
    assert "lacks the column 'label'" in message(listing, write(tmp_path, "path,suggested\ncat/1.png,dog\n"))
    assert "have no path in row 3. Fill it in" in message(listing, write(tmp_path, "path,label\ncat/1.png,dog\n,dog\n"))


def test_everything_left_out(listing: Listing, tmp_path: Path) -> None:
    rows = "".join(f"{name},\n" for name in labels_of(listing))
    assert "leave out every picture" in message(listing, write(tmp_path, "path,label\n" + rows))


def test_no_such_file(listing: Listing, tmp_path: Path) -> None:
    assert "there is no table" in message(listing, tmp_path / "nowhere.csv")
    assert "is not a file" in message(listing, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise there")
def test_no_permission(listing: Listing) -> None:
    # In a folder that any user may enter, which pytest's own is not. Root may always read, so it becomes nobody.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = write(Path(name), "path,label\n")
        path.chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            assert "no permission" in message(listing, path, StorageError)
        finally:
            if is_root:
                os.seteuid(0)


def test_names_with_spaces_at_their_ends_come_back_from_our_own_csv(tmp_path: Path) -> None:
    for name in (" cat /1.png", " cat /2.png", "dog/ 1 .png ", "dog/2.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    listing = scan(tmp_path / "pets")
    entries = {path_in(tmp_path / "pets", entry.path): entry.target.text for entry in listing.entries}
    text = "path,label\n" + "".join(f'"{name}","{label}"\n' for name, label in entries.items())
    same = correct(listing, write(tmp_path, text))
    assert (same.changed, same.left_out, same.unchanged) == (0, 0, len(entries))
    moved = correct(listing, write(tmp_path, "path,label\ndog/2.png, cat \n"))
    assert labels_of(moved.listing)["dog/2.png"] == " cat "


# --- Sets of classes --------------------------------------------------------------------------------------------------


def sets(tmp_path: Path, text: str = "path,labels\na.png,x|y\nb.png,\nc.png,z\nd.png,?y\n") -> Listing:
    folder = tmp_path / "sets"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.png").touch()
    (folder / "table.csv").write_text(text)
    return read_label_sets(folder / "table.csv")


@pytest.mark.parametrize("column", ["labels", "label", "target"])
def test_sets_are_corrected_and_nothing_in_a_cell_is_none_of_them(tmp_path: Path, column: str) -> None:
    table = write(tmp_path, f"path,{column}\na.png,\nb.png,y| x\nc.png,-\nd.png,?y\n")
    corrected = correct(sets(tmp_path), table)
    assert [(entry.path.name, entry.target) for entry in corrected.listing.entries] == [
        ("a.png", ClassNames()),
        ("b.png", ClassNames(("x", "y"))),
        ("d.png", ClassNames((), ("y",))),
    ]
    assert (corrected.changed, corrected.left_out, corrected.unchanged) == (2, 1, 1)
    assert corrected.listing.classes == ("x", "y")  # nobody is called z any more
    assert corrected.listing.task == "multilabel"


def test_sets_are_corrected_by_columns_and_with_another_separator(tmp_path: Path) -> None:
    listing = sets(tmp_path)
    corrected = correct(listing, write(tmp_path, "path,x,z\na.png,1,1\nb.png,0,\n"))
    assert [entry.target.text for entry in corrected.listing.entries][:2] == ["x|z", "?z"]
    corrected = correct(listing, write(tmp_path, "path,labels\nb.png,x;z\n"), ";")
    assert [entry.target.text for entry in corrected.listing.entries][:2] == ["x|y", "x|z"]


@pytest.mark.parametrize("separator", [";", ",", " "])
def test_our_own_table_is_read_whatever_stands_between_names_in_the_data_set(tmp_path: Path, separator: str) -> None:
    listing = sets(tmp_path)
    text = "path,label\na.png,z\nb.png,x|z\nd.png,\n"
    corrected = correct(listing, write(tmp_path, text), separator)
    assert [entry.target.text for entry in corrected.listing.entries] == ["z", "x|z", "z", ""]
    with pytest.raises(DataError, match=r"give the label 'x\|y', in row 2"):  # both in one table
        correct(listing, write(tmp_path, "path,labels\na.png,x|y\nb.png,x;z\n"), ";")


def test_a_class_may_be_called_as_what_leaves_a_picture_out(tmp_path: Path) -> None:
    listing = sets(tmp_path, "path,labels\na.png,x|-\nb.png,x\n")
    corrected = correct(listing, write(tmp_path, "path,labels\nb.png,-\n"))
    assert [entry.target.text for entry in corrected.listing.entries] == ["-|x", "-"]


def test_a_class_with_a_column_stays_even_if_nobody_has_it(tmp_path: Path) -> None:
    listing = sets(tmp_path, "path,x,y\na.png,1,0\nb.png,1,0\n")
    assert correct(listing, write(tmp_path, "path,labels\na.png,\n")).listing.classes == ("x", "y")


def test_a_name_that_is_no_class_is_refused_in_sets_too(tmp_path: Path) -> None:
    listing = sets(tmp_path)
    with pytest.raises(DataError) as caught:
        correct(listing, write(tmp_path, "path,labels\na.png,x|yy\nb.png,?yy\n"))
    assert str(caught.value) == (
        f"the corrections {str(tmp_path / 'fixed.csv')!r} give the label 'yy', in rows 2 and 3, which is none of the classes. "
        "Did you mean 'y'? The classes are: x, y, z. An empty cell is none of them; - leaves the picture out."
    )


# --- the whole sentences ----------------------------------------------------------------------------------------------


def test_the_sentence_about_pictures_that_are_not_there(listing: Listing, tmp_path: Path) -> None:
    def sentence(*names: str) -> str:
        return message(listing, write(tmp_path, "path,label\n" + "".join(f"{name},dog\n" for name in names)))

    path, folder = tmp_path / "fixed.csv", listing.source
    unlike = [f"q{number}x/{number}w.gif" for number in range(5)]
    rows = [f"{name!r} (row {row})" for row, name in enumerate(unlike, start=2)]
    for count in (1, 3, 4, 5):
        others = " and others" if count > 3 else ""
        assert sentence(*unlike[:count]) == (
            f"the corrections {str(path)!r} name pictures that {folder} does not hold, {count} of {count}: "
            f"{', '.join(rows[: min(count, 3)])}{others}. Paths count from the folder {str(folder)!r}."
        )


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("a/b/2.png", "cat/2.png"),  # of the same name, wherever it lies; the first of them
        ("a\\b\\2.png", "cat/2.png"),
        ("狗/2.png", "cat/2.png"),  # before one that is spelled alike
        ("cat/é 3.pnf", "cat/é 3.png"),
        ("xat/q.pnx", None),  # 6 of 9 letters are those of cat/1.png; 0.7 of them would be enough
    ],
)
def test_the_picture_that_may_be_meant(listing: Listing, tmp_path: Path, wanted: str, meant: str | None) -> None:
    text = message(listing, write(tmp_path, f"path,label\n{wanted},dog\n"))
    assert (f" Did you mean {meant!r}? Paths" in text) if meant else ("(row 2). Paths count" in text)


def test_the_sentence_about_classes(listing: Listing, tmp_path: Path) -> None:
    path = write(tmp_path, "path,label\ncat/1.png,zebra\n")
    assert message(listing, path) == (
        f"the corrections {str(path)!r} give the label 'zebra', in row 2, which is none of the classes. "
        "The classes are: cat, dog, 狗. An empty label leaves the picture out."
    )
    text = message(listing, write(tmp_path, "path,label\ncat/1.png,do\n"))
    assert "none of the classes. Did you mean 'dog'? The classes are" in text


@pytest.mark.parametrize(("count", "end"), [(10, "c08, c09. An"), (11, "c08, c09 and 1 more. An")])
def test_ten_classes_are_named(tmp_path: Path, count: int, end: str) -> None:
    for number in range(count):
        (tmp_path / "some" / f"c{number:02}").mkdir(parents=True)
        (tmp_path / "some" / f"c{number:02}" / "1.png").touch()
    assert end in message(scan(tmp_path / "some"), write(tmp_path, "path,label\nc01/1.png,zebra\n"))


def test_every_sentence_names_the_table(listing: Listing, tmp_path: Path) -> None:
    def table(rows: str) -> str:
        text = message(listing, write(tmp_path, "path,label\n" + rows))
        assert repr(str(tmp_path / "fixed.csv")) in text
        return text

    assert table(",dog\n") == (
        f"the corrections {str(tmp_path / 'fixed.csv')!r} have no path in row 2. Fill it in, or remove the row."
    )
    assert table("cat/1.png,dog\ncat/1.png,cat\n").startswith("'cat/1.png' stands twice in the corrections ")
    left_out = table("".join(f"{name},\n" for name in labels_of(listing)))
    assert left_out.endswith(f"leave out every picture of {listing.source}. Keep some labels.")


def test_a_backslash_in_a_name_is_no_folder_where_such_a_file_is(tmp_path: Path) -> None:
    for name in ("cat/a\\b.png", "cat/a/b.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "pets" / "dog").mkdir()
    (tmp_path / "pets" / "dog" / "1.png").touch()
    table = tmp_path / "pets" / "pets.csv"
    table.write_text("path,label\ncat/a\\b.png,cat\ncat/a/b.png,cat\ndog/1.png,dog\n", encoding="utf-8")
    pictures = read_table(table)
    found = correct(pictures, write(tmp_path, "path,label\ncat/a\\b.png,dog\n")).listing
    assert [entry.target.text for entry in found.entries if entry.path.name == "a\\b.png"] == ["dog"]
    assert [entry.target.text for entry in found.entries if entry.path.name == "b.png"] == ["cat"]


def test_a_table_that_is_reached_in_two_ways_names_the_same_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The data set as a relative path, a correction as an absolute one, and through a link to the folder."""
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    (tmp_path / "pets" / "dog").mkdir()
    for name in ("cat/1.png", "cat/2.png", "dog/1.png"):
        (tmp_path / "pets" / name).write_bytes(name.encode())
    (tmp_path / "link").symlink_to(tmp_path / "pets", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    found = correct(scan(Path("pets")), write(tmp_path, f"path,label\n{tmp_path / 'link'}/cat/1.png,dog\n"))
    assert (found.changed, found.unchanged) == (1, 0)


def test_names_that_were_merged_and_formulas_are_known(tmp_path: Path) -> None:
    for name, label in (("-1.png", "Cat"), ("2.png", "cat"), ("3.png", "cat"), ("4.png", "=1")):
        (tmp_path / "pets" / label).mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / label / name).touch()
    listing = read_listing(tmp_path / "pets", ReadOptions(merge_names=True))
    assert listing.classes == ("=1", "cat")
    path = write(tmp_path, "path,label\nCat/-1.png,'=1\n'=1/4.png,Cat\n")
    found = {entry.path.name: entry.target.text for entry in correct(listing, path).listing.entries}
    assert found == {"-1.png": "=1", "2.png": "cat", "3.png": "cat", "4.png": "cat"}


def test_a_table_of_corrections_in_another_encoding_is_told(listing: Listing, tmp_path: Path) -> None:
    path = write(tmp_path, "path,label\ncat/é 3.png,dog\n", "cp1252")
    corrected = correct(listing, path)
    assert labels_of(corrected.listing)["cat/é 3.png"] == "dog"
    assert len(corrected.notes) == 1
    assert corrected.notes[0].startswith(f"{path}: not in UTF-8; read as cp1252, a guess, in which it says 'é'. ")
