"""Tables as people write them, and every way in which one can be wrong."""

from __future__ import annotations

import os
import sys
import tempfile
import unicodedata
from pathlib import Path

import pytest

from tellapart.data import cells
from tellapart.data.dialects import MOST_LETTERS_A_CELL
from tellapart.data.examples import Listing, Split
from tellapart.data.table import read_table
from tellapart.errors import DataError, StorageError


def write(folder: Path, text: str, *files: str, encoding: str = "utf-8") -> Path:
    """A table and the empty files that it names."""
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    path = folder / "table.csv"
    path.write_bytes(text.encode(encoding))
    return path


def found(listing: Listing) -> list[tuple[str, str, Split | None, str]]:
    folder = listing.source.parent
    return [
        (str(entry.path.relative_to(folder)), entry.target.text, entry.split, entry.group) for entry in listing.entries
    ]


def message(path: Path, error: type[Exception] = DataError) -> str:
    with pytest.raises(error) as caught:
        read_table(path)
    return str(caught.value)


def test_path_and_label(tmp_path: Path) -> None:
    path = write(tmp_path, "path,label\nb/x.png,dog\na.png,cat\n", "a.png", "b/x.png")
    listing = read_table(path)
    assert found(listing) == [("a.png", "cat", None, ""), ("b/x.png", "dog", None, "")]
    assert (listing.source, listing.classes, listing.ignored) == (path, ("cat", "dog"), {})


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_all_columns_in_any_order_beside_others(tmp_path: Path, delimiter: str, line_end: str) -> None:
    rows = [
        ["Group", "note", " LABEL ", "split", "path"],
        ["patient 1", "x", " cat ", "train", "a.png"],
        ["", "", "dog", " Test", "b.png "],
    ]
    text = line_end.join(delimiter.join(row) for row in rows) + line_end
    listing = read_table(write(tmp_path, text, "a.png", "b.png"))
    assert found(listing) == [("a.png", "cat", "train", "patient 1"), ("b.png", "dog", "test", "")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "path,label\n图/狗 1.png,狗\n", "图/狗 1.png", encoding=encoding)
    assert found(read_table(path)) == [("图/狗 1.png", "狗", None, "")]


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("train", "train"),
        ("TRAINING", "train"),
        ("val", "validation"),
        ("valid", "validation"),
        ("Validation", "validation"),
        ("dev", "validation"),
        ("test", "test"),
        ("testing", "test"),
    ],
)
def test_split_words(tmp_path: Path, word: str, split: Split) -> None:
    assert read_table(write(tmp_path, f"path,label,split\na.png,cat,{word}\n", "a.png")).entries[0].split == split


def test_an_empty_split_column_means_no_split(tmp_path: Path) -> None:
    listing = read_table(write(tmp_path, "path,label,split\na.png,cat,\nb.png,dog, \n", "a.png", "b.png"))
    assert [entry.split for entry in listing.entries] == [None, None]


def test_quotes_and_blank_rows(tmp_path: Path) -> None:
    text = 'path,label\n\n"a,b.png","the ""big"" cat"\n,\nc.png,dog,\n\n'
    listing = read_table(write(tmp_path, text, "a,b.png", "c.png"))
    assert found(listing) == [("a,b.png", 'the "big" cat', None, ""), ("c.png", "dog", None, "")]
    assert listing.ignored == {"blank row": 3}


def test_labels_are_in_normal_form(tmp_path: Path) -> None:
    spelt = [unicodedata.normalize(form, "été") for form in ("NFC", "NFD")]
    assert spelt[0] != spelt[1]
    listing = read_table(write(tmp_path, f"path,label\na.png,{spelt[0]}\nb.png,{spelt[1]}\n", "a.png", "b.png"))
    assert listing.classes == ("été",)


def test_paths_count_from_the_table_and_may_be_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = write(tmp_path, "", "outside/a.png").parent / "outside/a.png"
    (tmp_path / "tables").mkdir()
    path = write(tmp_path / "tables", f"path,label\n../outside/b.png,dog\n{outside},cat\n", "../outside/b.png")
    assert {entry.path for entry in read_table(path).entries} == {outside, tmp_path / "tables/../outside/b.png"}
    monkeypatch.chdir(tmp_path / "tables")
    assert Path("../outside/b.png") in {entry.path for entry in read_table(Path("table.csv")).entries}


def test_a_tilde_is_a_name(tmp_path: Path) -> None:
    assert found(read_table(write(tmp_path, "path,label\n~/a.png,cat\n", "~/a.png"))) == [("~/a.png", "cat", None, "")]


@pytest.mark.skipif(os.sep == "\\", reason="there a backslash is no part of a name")
def test_backslashes_from_windows(tmp_path: Path) -> None:
    path = write(tmp_path, "path,label\na\\b.png,cat\nc\\d.png,dog\n", "a/b.png", "c\\d.png", "c/d.png")
    assert {name for name, *_ in found(read_table(path))} == {"a/b.png", "c\\d.png"}


@pytest.mark.parametrize("spelling", ["a/x.png", "./a/x.png", "a//x.png", "a/../a/x.png", "link/x.png"])
def test_a_repeated_row_is_kept_once(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    listing = read_table(
        write(tmp_path, f"path,label\na/x.png,cat\n{spelling},cat\na/y.png,cat\n", "a/x.png", "a/y.png")
    )
    assert [entry.path for entry in listing.entries] == [tmp_path / "a/x.png", tmp_path / "a/y.png"]
    assert listing.ignored == {"row repeated": 1}


def test_a_pipe_is_left_to_the_inspection(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert len(read_table(write(tmp_path, "path,label\npipe.png,cat\n")).entries) == 1


def test_entries_are_sorted_as_paths(tmp_path: Path) -> None:
    names = ["b/x.png", "a-b/x.png", "a/x.png", "a b/x.png", "B/x.png"]
    listing = read_table(write(tmp_path, "path,label\n" + "".join(f"{name},cat\n" for name in names), *names))
    paths = [entry.path for entry in listing.entries]
    assert paths == sorted(paths)


# The text of a table, the files beside it, and what the message says; {table} and {folder} are filled in.
WRONG: dict[str, tuple[str, tuple[str, ...], str]] = {
    "no rows": ("path,label\n", (), "the table {table} has a header but no rows. Add one row for each picture."),
    "empty": (
        "",
        (),
        (
            "the table {table} has nothing in its first row, which must name the columns: path,label and, if wanted, split and "
            "group; a row for each picture follows. Write it so, or check that it was saved whole."
        ),
    ),
    "no label column": (
        "path,what\na.png,cat\n",
        ("a.png",),
        (
            "the table {table} lacks the column 'label'; its first row has 'path', 'what'. "
            "Its first row must name the columns: path,label and, if wanted, split and group. "
            "Or say with --label-column which are meant."
        ),
    ),
    "pictures as numbers": (
        "emotion,pixels,Usage\n0,70 80 90,Training\n",
        (),
        (
            "the table {table} lacks the column 'path'; its first row has 'emotion', 'pixels', 'Usage'. Its first row must name "
            "the columns: path,label and, if wanted, split and group. Or say with --path-column which are meant. The column "
            "'pixels' seems to hold pictures as numbers, which are not read: write each to a file."
        ),
    ),
    "very many columns": (
        "label," + ",".join(f"pixel{number}" for number in range(784)) + "\n",
        (),
        (
            "the table {table} lacks the column 'path'; its first row has 'label', "
            + ", ".join(f"'pixel{number}'" for number in range(19))
            + " and 765 more. Its first row must name the columns: path,label and, if wanted, split and group. Or say with "
            "--path-column which are meant. The column 'pixel0' seems to hold pictures as numbers, which are not read: write each "
            "to a file."
        ),
    ),
    "two label columns": (
        "path,label,Label\na.png,cat,dog\n",
        ("a.png",),
        "the table {table} has 2 columns called 'label'. Keep one.",
    ),
    "empty label": (
        "path,label\na.png,cat\nb.png,\n",
        ("a.png", "b.png"),
        "the table {table} has no label in row 3. Fill it in, or remove the row.",
    ),
    "label cell missing": (
        "path,label\na.png\n\nb.png\n",
        ("a.png", "b.png"),
        "the table {table} has no label in rows 2 and 4. Fill it in, or remove the row.",
    ),
    "empty path": (
        "path,label\n,cat\n,cat\n,dog\n,dog\n",
        (),
        "the table {table} has no path in 4 rows (2, 3, 4, ...). Fill it in, or remove the row.",
    ),
    "missing files": (
        "path,label\n" + "".join(f"{number}.png,cat\n" for number in range(5)),
        ("0.png",),
        (
            "the table {table} names files that do not exist, 4 of 5: '1.png' (row 3), '2.png' (row 4), '3.png' (row 5) "
            "and others. Paths count from the folder {folder}. Give another with --root."
        ),
    ),
    "a folder": (
        "path,label\na,cat\n",
        ("a/x.png",),
        (
            "the table {table} names files that do not exist, 1 of 1: 'a' (row 2). "
            "Paths count from the folder {folder}. Give another with --root."
        ),
    ),
    "unknown split": (
        "path,label,split\na.png,cat,train\nb.png,cat,holdout\n",
        ("a.png", "b.png"),
        (
            "the table {table} has an unknown split, 'holdout', in row 3. "
            "Use train, val or test, or leave the whole column empty."
        ),
    ),
    "split missing": (
        "path,label,split\na.png,cat,train\nb.png,cat,\nc.png,cat,\nd.png,cat,\n",
        ("a.png", "b.png", "c.png", "d.png"),
        (
            "the table {table} has no split in rows 3, 4 and 5, while other rows have one. "
            "Fill it in for every row, or for none."
        ),
    ),
    "two labels": (
        "path,label\na/x.png,cat\nb.png,cat\na/../a/x.png,dog\n",
        ("a/x.png", "b.png"),
        "'a/../a/x.png' has two labels in {table}: 'cat' in row 2 and 'dog' in row 4. Keep one of the two rows.",
    ),
    "two splits": (
        "path,label,split\na.png,cat,train\na.png,cat,val\n",
        ("a.png",),
        "'a.png' has two splits in {table}: 'train' in row 2 and 'validation' in row 3. Keep one of the two rows.",
    ),
    "two groups": (
        "path,label,group\na.png,cat,1\na.png,cat,2\n",
        ("a.png",),
        "'a.png' has two groups in {table}: '1' in row 2 and '2' in row 3. Keep one of the two rows.",
    ),
    "comma in a label": (
        "path,label\na.png,cat,fat\n",
        ("a.png",),
        (
            "row 2 of {table} has 3 cells, but the header has 2. "
            'Put quotes around a cell that holds the separator: "a,b.png".'
        ),
    ),
    "open quote": (
        'path,label\n"a.png,cat\n',
        ("a.png",),
        (
            "line 2 of the table {table} is not valid CSV: unexpected end of data. "
            "Every quote that is opened must be closed, and a quote inside quotes is doubled."
        ),
    ),
    "huge cell": (
        f"path,label\na.png,{'x' * (MOST_LETTERS_A_CELL + 1)}\n",
        ("a.png",),
        (
            "line 2 of the table {table} is not valid CSV: field larger than field limit (20000000). "
            "Every quote that is opened must be closed, and a quote inside quotes is doubled."
        ),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_is_refused(tmp_path: Path, name: str) -> None:
    text, files, expected = WRONG[name]
    path = write(tmp_path, text, *files)
    assert message(path) == expected.format(table=repr(str(path)), folder=repr(str(tmp_path)))


def test_a_split_that_is_spelt_differently_is_the_same(tmp_path: Path) -> None:
    listing = read_table(write(tmp_path, "path,label,split\na.png,cat,val\na.png,cat,valid\n", "a.png"))
    assert listing.ignored == {"row repeated": 1}


@pytest.mark.parametrize("data", [b"path,label\n\x81\x8d\xa0\xff\n", b"path,label\na\0.png,cat\n", b"\xff\xfep"])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(data)
    assert message(path) == (
        f"'{path}' is not a text table in an encoding that can be told. Save it again as CSV (UTF-8), or name its encoding with "
        "--encoding."
    )


def test_no_such_table(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    assert message(path) == f"there is no table '{path}'. Check the spelling, or give the full path."
    assert message(path / "deeper.csv").startswith("there is no table ")
    assert message(Path("a\0b.csv")).startswith("there is no table ")


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    assert message(tmp_path) == (f"'{tmp_path}' is not a file. Give a CSV file, or a folder that holds class folders.")


def test_a_table_over_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "film.csv"
    with path.open("wb") as file:
        file.truncate(cells.MAX_TABLE_BYTES + 1)
    assert message(path) == (
        f"the table '{path}' has 1,073,741,825 bytes; the limit is 1,073,741,824. "
        "Leave out columns other than path, label, split and group."
    )


@pytest.mark.skipif(sys.platform == "win32", reason="permissions work otherwise there")
def test_no_permission_to_read() -> None:
    # In a folder that any user may enter, which pytest's own is not. Root may always read, so it becomes nobody.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        path = write(Path(name), "path,label\na.png,cat\n", "a.png")
        path.chmod(0)
        is_root = os.geteuid() == 0
        if is_root:
            os.seteuid(65534)
        try:
            text = message(path, StorageError)
        finally:
            if is_root:
                os.seteuid(0)
    assert text == f"no permission to read the table '{path}'. Change it with chmod."
