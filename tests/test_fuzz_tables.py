"""Thousands of damaged tables: each is read or refused in words, and nothing is written.

For a longer search: `python tests/test_fuzz_tables.py SEED COUNT`.
"""

from __future__ import annotations

import io
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tellapart.data.examples import ReadOptions
from tellapart.data.listing import read_listing
from tellapart.errors import TellapartError

FILES = 600
ROWS = [
    ("a.png", "cat", "train"),
    ("sub/b.png", "dog", "test"),
    ("ä.png", "Müller", "val"),
    ("c|d.png", "=1+1", "train"),
]
PIECES = (
    b",",
    b";",
    b"\t",
    b"|",
    b'"',
    b"'",
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"sep=;\n",
    b"\xe9",
)
PIECES += (
    b"path",
    b"label",
    b"labels",
    b"1",
    b"0",
    b"../",
    b"/etc/passwd",
    b"?",
    b"\\",
    b"[",
    b"{",
    b"}",
    b"null",
    b"1e999",
)
OPTIONS = (
    ReadOptions(),
    ReadOptions(task="multilabel", separator=";"),
    ReadOptions(path_column="1", label_column="2"),
    ReadOptions(label_from=r"(?P<label>\w+)[.]", extension="png"),
    ReadOptions(encoding="cp1252", merge_names=True),
    ReadOptions(split_column="split", group_column="2"),
    ReadOptions(task="text", text_column="1", label_column="2"),
)


def originals() -> dict[str, bytes]:
    """Sound tables of every kind, by their names."""
    lines = [("path", "label", "split"), *ROWS]
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in lines:
        book.active.append(row)
    sheet, columns = io.BytesIO(), io.BytesIO()
    book.save(sheet)
    pictures = [{"bytes": b"x" * 20, "path": row[0]} for row in ROWS]
    pq.write_table(pa.table({"image": pictures, "label": [row[1] for row in ROWS]}), columns, row_group_size=2)
    objects = [dict(zip(lines[0], row, strict=True)) for row in ROWS]
    return {
        "comma.csv": "\n".join(map(",".join, lines)).encode(),
        "semicolon.csv": "\r\n".join(map(";".join, lines)).encode("cp1252"),
        "tab.tsv": "\r".join(map("\t".join, lines)).encode("utf-16"),
        "sets.csv": b"path,labels\na.png,cat|dog\nsub/b.png,?cat\n",
        "columns.csv": b"image,cat,dog\na.png,1,0\nsub/b.png,1,\n",
        "texts.csv": b'text,label\n"so fine, a film",good\nso dull,bad\n',
        "lines.jsonl": "\n".join(map(json.dumps, objects)).encode(),
        "list.json": json.dumps(objects).encode(),
        "book.xlsx": sheet.getvalue(),
        "pictures.parquet": columns.getvalue(),
    }


def damaged(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few changes: replaced, left out, doubled, put in."""
    for _ in range(chance.randint(1, 3)):
        place, length = chance.randrange(len(data) + 1), chance.choice((1, 1, 2, 8, 40))
        put = chance.choice(
            (b"", chance.choice(PIECES), data[place : place + length] * 2, bytes([chance.randrange(256)]))
        )
        data = data[:place] + put + data[place + chance.choice((0, length)) :]
    return data


def search(folder: Path, seed: int, count: int) -> Counter[str]:
    """How many tables were read, and how many refused. Raises: what is no error of ours."""
    for name, _, _ in ROWS:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"x")
    kinds, chance, told = originals(), random.Random(seed), Counter[str]()
    before = sorted(folder.rglob("*"))
    for number in range(count):
        name = chance.choice(list(kinds))
        path = folder / name
        path.write_bytes(damaged(kinds[name], chance))
        words = "."
        try:
            listing = read_listing(path, chance.choice(OPTIONS))
            told["read"] += 1
            assert listing.entries
        except TellapartError as error:
            told["refused"] += 1
            words = str(error)
        except Exception:
            (Path(tempfile.gettempdir()) / f"fuzz-{seed}-{number}-{name}").write_bytes(path.read_bytes())
            raise
        path.unlink()
        assert words.endswith((".", "?"))
    assert sorted(folder.rglob("*")) == before
    return told


@pytest.mark.filterwarnings("ignore")
def test_damaged_tables_are_read_or_refused_in_words(tmp_path: Path) -> None:
    told = search(tmp_path, 15, FILES)
    assert told.total() == FILES
    assert min(told["read"], told["refused"]) > FILES / 10


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(search(Path(place), int(sys.argv[1]), int(sys.argv[2])))
