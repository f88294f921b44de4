"""`tellapart cache`: what a person sees. In: a cache folder. Out: lines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tellapart.cli.cache import command
from tellapart.features.row_folder import open_rows
from tellapart.features.rows import RowStore


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RowStore:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    found = open_rows(tmp_path, "s", ["a"], shape=(2_000_000,), dtype=np.uint8, limit_bytes=10**8)
    assert found is not None
    return found


def output(*arguments: str) -> str:
    answer = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert answer.exit_code == 0
    return answer.output


def test_info_counts_row_stores(store: RowStore) -> None:
    assert "row stores  1 (2.0 MB: pictures and views for training)" in output("info").splitlines()
    assert json.loads(output("info", "--json"))["row_stores"]["count"] == 1


def test_clear_says_what_stays_and_why(store: RowStore) -> None:
    assert output("clear").endswith(
        "1 of the row stores stay: a training is using them. Clear again when it has ended.\n"
    )
    store.close()
    (line,) = output("clear").splitlines()
    assert line.startswith("cleared ")
    assert float(line.split()[1]) >= 2.0
    assert "row stores  0 (0.0 MB" in output("info")
