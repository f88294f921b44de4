"""The guided tour cannot go stale. In: docs/tour.md, src. Out: a name in one that is missing in the other."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

NAME = re.compile(r"`(?:src/tellapart/)?((?:\w+/)*\w+\.py)`")
OPENING = re.compile(r".+ In: .+\. Out: .+\. Next: (?P<next>[\w/]+\.\w+)\.")


def problems(tour: str, files: Iterable[str]) -> list[str]:
    """What is wrong with a tour of `files`, given as paths below src/tellapart; empty when it is right.

    A stop of the tour is a file's path in backquotes at the beginning of a heading, a list item, a table row or a
    paragraph; elsewhere the text may speak of any file that exists.
    """
    wanted = set(files)
    stops = Counter(
        match[1] for line in tour.splitlines() if (match := NAME.match(re.sub(r"^(?:[#>|*\-\[\s]|\d+\.)*", "", line)))
    )
    found = [f"{name} is no stop of the tour" for name in sorted(wanted - set(stops))]
    found += [f"{name} is {count} stops of the tour" for name, count in sorted(stops.items()) if count > 1]
    found += [f"{name} does not exist" for name in sorted(set(NAME.findall(tour)) - wanted)]
    return found


def source_files(repository: Path) -> list[str]:
    folder = repository / "src" / "tellapart"
    files = sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py" or path.read_text().strip())
    return [path.relative_to(folder).as_posix() for path in files]


def test_the_tour_names_every_source_file_once_and_no_other(repository: Path) -> None:
    files = source_files(repository)
    assert {"errors.py", "data/folder.py"} <= set(files)
    assert problems((repository / "docs" / "tour.md").read_text(encoding="utf-8"), files) == []


@pytest.mark.parametrize(
    ("tour", "expected"),
    [
        ("1. `a.py` then\n2. `data/b.py`: calls `a.py`", []),
        ("- `src/tellapart/a.py`\n| `data/b.py` | text |", []),
        ("## `a.py`\n\nmore about `data/b.py`", ["data/b.py is no stop of the tour"]),
        ("* `a.py`\n* `data/b.py`\n* `a.py`", ["a.py is 2 stops of the tour"]),
        ("- `a.py`\n- `data/b.py`\n- `gone.py`", ["gone.py does not exist"]),
        ("- `a.py`\n- `data/b.py`, once `old/b.py`", ["old/b.py does not exist"]),
    ],
)
def test_a_stale_tour_is_noticed(tour: str, expected: list[str]) -> None:
    assert problems(tour, ["a.py", "data/b.py"]) == expected


def test_every_source_file_opens_with_in_out_and_an_existing_next(repository: Path) -> None:
    folder = repository / "src" / "tellapart"
    wrong = []
    for name in source_files(repository):
        if name.endswith("__init__.py"):  # the public door: its docstring is for those who use the package
            continue
        docstring = ast.get_docstring(ast.parse((folder / name).read_text(encoding="utf-8"))) or ""
        match = OPENING.fullmatch(docstring.partition("\n\n")[0].replace("\n", " "))
        places = (folder, (folder / name).parent, repository)
        if match is None or not any((place / match["next"]).is_file() for place in places):
            wrong.append(f"{name}: {docstring.splitlines()[:1]}")
    assert wrong == []
