"""A table of sets from its path. In: a CSV. Out: a Listing. Next: test_multilabel_table.py."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tellapart.data.examples import Listing
from tellapart.data.multilabel_table import list_label_sets
from tellapart.data.table import read_cells


def read_label_sets(path: Path, separator: str | None = None) -> Listing:
    """What `path` lists, as a data set of its own."""
    ignored: Counter[str] = Counter()
    return list_label_sets(read_cells(path, ignored), ignored, separator)
