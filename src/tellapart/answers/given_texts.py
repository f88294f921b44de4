"""What a Python caller gives becomes texts. In: str, several, a table. Out: items. Next: given.py."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from tellapart.answers.given import GivenItem
from tellapart.errors import DataError, kind_of

TEXT_COLUMNS = (
    "text",
    "sentence",
    "review",
    "content",
    "comment",
    "headline",
    "title",
)  # of a table, the first of them


def gather_texts(texts: Any) -> Iterator[GivenItem]:
    """One item a text, in order; of a DataFrame its column of texts. Raises: DataError for what is no text."""
    for number, text in enumerate(_several(texts)):
        if isinstance(text, str | bytes):
            yield GivenItem(data=text)
        elif _is_missing(text):
            yield GivenItem(error="empty: there is no text")
        else:
            raise DataError(f"text {number} is {kind_of(text)}; a text is a str, or bytes in UTF-8. Give one of these.")


def _is_missing(cell: Any) -> bool:
    """Whether this is an empty cell of a table: None, NaN, or the NA of pandas, which is neither equal to itself nor not."""
    return cell is None or (isinstance(cell, float) and cell != cell) or type(cell).__name__ in ("NAType", "NaTType")


def _several(texts: Any) -> Iterable[Any]:
    if isinstance(texts, str | bytes):
        return [texts]
    if hasattr(texts, "columns"):
        names = [str(name) for name in texts.columns]
        name = next((name for name in TEXT_COLUMNS if name in names), None)
        if name is None:
            raise DataError(
                f"the table has the columns {', '.join(names)[:300]}; none is called {', '.join(TEXT_COLUMNS[:-1])} or "
                f"{TEXT_COLUMNS[-1]}. Give its texts alone, as table[COLUMN]."
            )
        return list(texts[name])
    return texts if isinstance(texts, Iterable) else [texts]
