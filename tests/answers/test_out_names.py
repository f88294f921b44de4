"""Names in a folder that we fill. In: paths as people and archives have them. Out: names that stay inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tellapart.answers.out_names import UniqueNames, name_of, roots_of, safe_name, safe_part


def test_names_are_those_below_what_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "cat").mkdir(parents=True)
    (tmp_path / "in" / "cat" / "1.jpg").write_bytes(b"")
    roots = roots_of(["in/", "in/cat/1.jpg", "other/**/*.png", "http://example.org/in", "-"])
    assert roots == ("in/cat/1.jpg", "other", "in")
    assert name_of("in/cat/1.jpg", roots) == "1.jpg"
    assert name_of("in/cat/2.jpg", roots) == "cat/2.jpg"
    assert name_of("other/x/3.png", roots) == "x/3.png"
    assert name_of("inside/4.png", roots) == "inside/4.png"
    assert name_of(os.path.join(os.sep, "data", "5.png"), roots) == "data/5.png"
    assert name_of("./a/6.png", roots_of(["."])) == "a/6.png"
    assert name_of("a/6.png", roots_of(["*/*.png"])) == "a/6.png"
    assert name_of(f"{tmp_path}/in/7.png", roots_of([str(tmp_path)])) == "in/7.png"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("https://example.org/a/b%2Fcat.jpg?size=9#x", "cat.jpg"),
        ("https://example.org/", "picture"),
        ("https://example.org/%2e%2e", "picture"),
        ("", "picture"),
        ("-", "-"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../b.png", "b.png"),
    ],
)
def test_no_name_leads_out(path: str, name: str) -> None:
    assert name_of(path, ()) == name


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("../x", "_._x"),
        ("..", "picture"),
        ("a\\b/c", "a_b_c"),
        ('c:<>"|?*\n.png', "c________.png"),
        (".hidden.png", "_hidden.png"),
        ("end. ", "end"),
        ("CON.jpg", "_CON.jpg"),
        ("console.jpg", "console.jpg"),
        ("caf\udce9.png", "caf_.png"),
        ("狗" * 100 + ".jpg", "狗" * 58 + ".jpg"),
        ("x." + "y" * 300, "x." + "y" * 178),
        (" ", "picture"),
    ],
)
def test_every_system_takes_a_part(text: str, part: str) -> None:
    assert safe_part(text) == part
    assert safe_name(f"a/{text.replace('/', '')}").startswith("a")


def test_each_name_is_given_once() -> None:
    names = UniqueNames()
    assert [names.take(name) for name in ("a.png", "a.jpg", "A.png", "a-2.png", "b/a.png")] == [
        "a.png",
        "a-2.jpg",
        "A-3.png",
        "a-2-2.png",
        "b/a.png",
    ]
