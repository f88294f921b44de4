"""What separates cells. In: text as programs write it. Out: its rows."""

from __future__ import annotations

import pytest

from tellapart.data.dialects import Rows

NAMES = frozenset(("path", "label", "split"))


def rows(text: str) -> list[list[str]]:
    return list(Rows(text, NAMES))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_any_separator_with_any_line_end(separator: str, line_end: str) -> None:
    text = line_end.join(separator.join(cells) for cells in (("path", "label"), ("a.png", "cat"), ("b.png", "dog")))
    assert rows(text + line_end) == [["path", "label"], ["a.png", "cat"], ["b.png", "dog"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"path","label;s"\n"a;b.png","x"\n', [["path", "label;s"], ["a;b.png", "x"]]),
        ('path;label\n"a;b.png";"x,y,z"\n', [["path", "label"], ["a;b.png", "x,y,z"]]),
        ('path, label\n"a,b.png", "c, d"\n', [["path", "label"], ["a,b.png", "c, d"]]),
        ("path;label, of it\na.png;cat, 1\n", [["path", "label, of it"], ["a.png", "cat, 1"]]),
        ("a,1.png;cat\nb.png;dog\n", [["a,1.png", "cat"], ["b.png", "dog"]]),
        ("path\na b.png\nc.png\n", [["path"], ["a b.png"], ["c.png"]]),
        ("path\nmy dog.png\nmy cat.png\n", [["path"], ["my dog.png"], ["my cat.png"]]),
        ("", []),
    ],
)
def test_what_is_quoted_or_part_of_a_name_separates_nothing(text: str, expected: list[list[str]]) -> None:
    assert rows(text) == expected


@pytest.mark.parametrize("said", ["sep=|\n", "SEP=|\r\n", '"sep=|"\r\n', "sep=|;;\r\n"])
def test_what_excel_says_is_believed(said: str) -> None:
    found = Rows(f"{said}path|label\na,b;c|cat\n", NAMES)
    assert next(found) == ["path", "label"]
    assert (next(found), found.line) == (["a,b;c", "cat"], 3)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("said", ["", "sep=;{0}{0}"])
def test_blank_lines_before_the_header_are_no_header(line_end: str, said: str) -> None:
    head = line_end + "\t" + line_end + said.format(line_end)
    found = Rows(line_end.join((head + "path;label", "a.png;cat", "")), NAMES)
    assert [next(found), next(found)] == [["path", "label"], ["a.png", "cat"]]
    assert found.line == (6 if said else 4)


def test_between_tabs_quotes_may_be_letters() -> None:
    rows = Rows('text\tlabel\n"good" film\tpos\n"a quote that ends nowhere\tneg\n', {"text", "label"})
    assert rows.quotes_are_letters
    assert list(rows) == [["text", "label"], ['"good" film', "pos"], ['"a quote that ends nowhere', "neg"]]


def test_between_tabs_quotes_are_those_of_csv_where_they_all_can_be() -> None:
    rows = Rows('text\tlabel\n"a tab\tin ""it"""\tpos\nplain "quote"\tneg\n', {"text", "label"})
    assert not rows.quotes_are_letters
    assert list(rows) == [["text", "label"], ['a tab\tin "it"', "pos"], ['plain "quote"', "neg"]]
