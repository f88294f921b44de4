"""Texts with classes, however they are stored. In: made tables and folders. Out: the same listings, audits and messages."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tellapart.data.audit import audit_json, build_audit
from tellapart.data.examples import Listing, ReadOptions
from tellapart.data.listing import read_listing
from tellapart.data.texts_look import EMPTY, look_at_texts
from tellapart.errors import DataError, SettingsError

TEXTS = [("a fine film", "good"), ("a poor one", "bad"), ("such a joy", "good"), ("so dull", "bad")]


def csv_table(folder: Path) -> Path:
    return written(folder / "t.csv", "text,label\n" + "".join(f"{text},{label}\n" for text, label in TEXTS))


def other_names(folder: Path) -> Path:
    rows = "".join(f"{number}\t{label}\t{text}\n" for number, (text, label) in enumerate(TEXTS))
    return written(folder / "t.tsv", f"id\tsentiment\treview\n{rows}")


def json_lines(folder: Path) -> Path:
    return written(folder / "t.jsonl", "".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in TEXTS))


def parquet(folder: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    texts, labels = zip(*TEXTS, strict=True)
    write_table(pyarrow.table({"text": list(texts), "label": list(labels)}), folder / "t.parquet")
    return folder / "t.parquet"


def folders(folder: Path) -> Path:
    for number, (text, label) in enumerate(TEXTS):
        written(folder / label / f"{number}.txt", text)
    return folder


def archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "t.zip", "w") as file:
        for number, (text, label) in enumerate(TEXTS):
            file.writestr(f"{label}/{number}.txt", text)
    return folder / "t.zip"


def endings(folder: Path) -> Path:
    for label, ending in (("good", "pos"), ("bad", "neg")):
        written(folder / f"reviews.{ending}", "".join(f"{text}\n" for text, own in TEXTS if own == label))
    return folder


def numbers(folder: Path) -> Path:
    written(folder / "class.txt", "bad\ngood\n")
    written(folder / "all.txt", "".join(f"{text}\t{int(label == 'good')}\n" for text, label in TEXTS))
    return folder


def one_file_of_numbers(folder: Path) -> Path:
    return numbers(folder) / "all.txt"


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def said(listing: Listing) -> list[tuple[str | None, str]]:
    return sorted((entry.text or "", entry.target.text) for entry in listing.entries)


@pytest.mark.parametrize(
    "make",
    [csv_table, other_names, json_lines, parquet, folders, archive, endings, numbers, one_file_of_numbers],
)
def test_texts_are_found_and_read(make: Callable[[Path], Path], tmp_path: Path) -> None:
    source = make(tmp_path)
    found = read_listing(source)
    names = {"good": "pos", "bad": "neg"} if make is endings else {"good": "good", "bad": "bad"}
    assert found.task == "text"
    assert said(found) == sorted((text, names[label]) for text, label in TEXTS)
    assert sorted(found.classes) == sorted(names.values())
    assert len({entry.path for entry in found.entries}) == len(TEXTS)
    told = read_listing(source, ReadOptions(task="text"))
    assert said(told) == said(found)


def test_a_text_says_where_it_stands(tmp_path: Path) -> None:
    table = csv_table(tmp_path)
    assert [str(entry.path) for entry in read_listing(table).entries][:2] == [f"{table}:2", f"{table}:3"]
    lines = written(tmp_path / "new" / "reviews.pos", "one\n\ntwo\r\n")
    written(tmp_path / "new" / "reviews.neg", "three\n")
    found = read_listing(lines.parent)
    assert [entry.path.name for entry in found.entries] == ["reviews.neg:1", "reviews.pos:1", "reviews.pos:3"]
    assert found.ignored == {"blank line": 1}


def test_splits_and_groups_are_read(tmp_path: Path) -> None:
    table = written(tmp_path / "t.csv", "text,label,split,group\na b,x,train,1\nc d,y,test,2\n")
    found = read_listing(table)
    assert [(entry.split, entry.group) for entry in found.entries] == [("train", "1"), ("test", "2")]
    for name in ("train", "dev", "test"):
        written(tmp_path / "lines" / f"{name}.txt", "some words\t0\nother words\t1\n")
    written(tmp_path / "lines" / "class.txt", "x\ny\n")
    listing = read_listing(tmp_path / "lines")
    assert {entry.path.name: entry.split for entry in listing.entries} == {
        **{f"train.txt:{line}": "train" for line in (1, 2)},
        **{f"dev.txt:{line}": "validation" for line in (1, 2)},
        **{f"test.txt:{line}": "test" for line in (1, 2)},
    }
    for name, label in (("train", "x"), ("train", "y"), ("test", "x"), ("test", "y")):
        (tmp_path / "tree" / name / label).mkdir(parents=True)
        written(tmp_path / "tree" / name / label / "1.txt", f"{name} {label}")
    tree = read_listing(tmp_path / "tree")
    assert {(entry.text, entry.split) for entry in tree.entries} >= {("train x", "train"), ("test y", "test")}


@pytest.mark.parametrize("encoding", ["gb18030", "big5"])
def test_other_encodings_are_told_or_guessed_and_said(encoding: str, tmp_path: Path) -> None:
    # Common words, each in its own characters.
    lines = {"gb18030": "这部电影的故事非常精彩演员也很好", "big5": "這部電影的故事非常精彩演員也很好"}[encoding]
    for number, label in enumerate("ab"):
        (tmp_path / "d" / label).mkdir(parents=True)
        written(tmp_path / "d" / label / "1.txt", f"{lines}{number}", encoding)
    told = read_listing(tmp_path / "d", ReadOptions(encoding=encoding))
    assert [entry.text for entry in told.entries] == [f"{lines}0", f"{lines}1"]
    guessed = read_listing(tmp_path / "d")
    assert said(guessed) == said(told)
    assert any("not in UTF-8; read as" in note and "a guess" in note for note in guessed.notes)
    with pytest.raises(DataError, match="is not in ascii: byte 0x.. means nothing there. Give another --encoding"):
        read_listing(tmp_path / "d", ReadOptions(encoding="ascii"))


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("text,label\n", {}, "has a header but no rows. Add one row for each text."),
        (
            "a,b\nx,y\n",
            {"task": "text"},
            "has no column of texts that is called so; its columns are: 'a', 'b'. Say which it is",
        ),
        ("text,label\nx,\n", {}, "has no label in row 2. Fill it in, or remove the row."),
        ("text,other\nx,1\n", {"text_column": "text", "task": "text"}, "lacks the column 'label'"),
        (
            "text,label\n" + "".join(f"x,{one / 7:.3f}\n" for one in range(40)),
            {},
            "give --task text if each number is a class",
        ),
    ],
)
def test_tables_that_break_a_rule(text: str, options: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_listing(written(tmp_path / "t.csv", text), ReadOptions(**options))  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_folders_that_break_a_rule(tmp_path: Path) -> None:
    folder = numbers(tmp_path)
    written(folder / "more.txt", "no number\tx\n")
    with pytest.raises(
        DataError, match=r"line 1 of '.*more.txt' ends with 'x'; after a tab it must say the number of one of the 2"
    ):
        read_listing(folder)
    written(folder / "class.txt", "bad\nbad\n")
    with pytest.raises(DataError, match="must name each class once"):
        read_listing(folder)
    written(folder / "class.txt", "bad\ngood\n")
    written(folder / "more.txt", "nothing of the kind\n")
    (folder / "all.txt").unlink()
    with pytest.raises(DataError, match="holds no text with a class. Write one a line"):
        read_listing(folder)
    with pytest.raises(SettingsError, match="--label-separator is '|', and a text has one class."):
        read_listing(csv_table(tmp_path), ReadOptions(task="text", separator="|"))


def test_pictures_with_captions_are_no_texts(tmp_path: Path) -> None:
    table = written(tmp_path / "t.csv", "image,text,label\na.jpg,a cat,cat\nb.jpg,a dog,dog\n")
    with pytest.raises(DataError, match="a.jpg"):  # which is not there
        read_listing(table)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "val").mkdir()
    for part in ("train", "val"):
        written(tmp_path / "labels" / part / "1.txt", "0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(DataError) as caught:
        read_listing(tmp_path / "labels")
    assert "text" not in type(caught.value).__name__.lower()


def test_bad_texts_are_handled_and_told(tmp_path: Path) -> None:
    odd = {
        "nul": "a\0b c",
        "replaced": "half \ufffd pair",
        "turned": "\u202eabc\u202c def",
        "hidden": "\u200b",
        "emoji": "😀😀",
        "html": "<b>bold</b> &amp; more",
        "twice": "cafÃ©s",
        "long": "word " * 2_000_000,
        "empty": "",
    }
    lines = io.StringIO()
    for number, text in enumerate(odd.values()):
        lines.write(json.dumps({"text": text, "label": "ab"[number % 2]}) + "\n")
    found, inspections = look_at_texts(read_listing(written(tmp_path / "t.jsonl", lines.getvalue())))
    problems = dict(zip(odd, (one.problem for one in inspections), strict=True))
    assert {name for name, problem in problems.items() if problem} == {"hidden", "empty"}
    assert problems["hidden"] == EMPTY
    record = audit_json(build_audit(found, inspections))["texts"]
    place = {name: f"{tmp_path / 't.jsonl'}:{row}" for row, name in enumerate(odd, start=1)}
    rows = {
        name: [int(path.rpartition(":")[2]) for path in record[name]] for name in ("long", "html", "broken", "unseen")
    }
    first = int(str(found.entries[0].path).rpartition(":")[2])
    order = list(place)
    assert rows == {
        "long": [first + order.index("long")],
        "html": [first + order.index("html")],
        "broken": [first + order.index("replaced"), first + order.index("twice")],
        "unseen": [first + order.index("nul"), first + order.index("turned")],
    }


def test_the_audit_speaks_of_texts(tmp_path: Path) -> None:
    rows = [(f"הודעה על מזג האוויר {number}", "x") for number in range(5)]
    rows += [(f"a message about the weather number {number}" * 2, "y") for number in range(6)]
    rows += [("A message about the  weather number 0a message about the weather number 0", "x")]
    table = written(tmp_path / "t.csv", "text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    found, inspections = look_at_texts(read_listing(table))
    record = audit_json(build_audit(found, inspections))
    told = " ".join(one["message"] for one in record["findings"])
    assert "picture" not in told
    assert "TWO LABELS: exactly the same text stands under different labels" in told
    assert "writing systems are mixed: most texts are in Latin, others in Hebrew 5" in told
    assert record["texts"]["pictures"] == {"": 12}
    assert record["exact_copies"] == [[f"{table}:7", f"{table}:13"]]


def test_a_table_between_tabs_may_have_quotes_as_letters(tmp_path: Path) -> None:
    table = written(tmp_path / "t.tsv", 'text\tlabel\n"good" film\tpos\nso "dull"\tneg\n')
    listing = read_listing(table)
    assert [entry.text for entry in listing.entries] == ['"good" film', 'so "dull"']
    assert listing.notes == (f"{table}: quotes are read as letters, since they are not set as in CSV.",)


def test_folders_of_texts_are_not_said_to_be_read_as_told(tmp_path: Path) -> None:
    assert read_listing(folders(tmp_path)).notes == ()
