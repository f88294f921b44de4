"""features/superseded.py: an update's extra work is told, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tellapart.features.superseded import superseded

_RECORD = "backbone.json"
_MADE: dict[str, Any] = {
    "name": "net",
    "weights_fingerprint": "w",
    "preprocessing": {"size": 224},
    "onnx_sha256": "new",
}


def _put(folder: Path, record: object) -> Path:
    folder.mkdir(parents=True)
    (folder / _RECORD).write_text(record if isinstance(record, str) else json.dumps(record), encoding="utf-8")
    return folder


def test_an_earlier_versions_network_is_told(tmp_path: Path) -> None:
    made = _put(tmp_path / "net-2", _MADE)
    _put(tmp_path / "net-1", _MADE | {"onnx_sha256": "old"})
    assert superseded(made, _RECORD) == (
        "The cache has embeddings by net as an earlier version made it. They are no longer used, and those that are needed are "
        "computed again, this once."
    )


@pytest.mark.parametrize(
    "other",
    [
        _MADE,
        _MADE | {"onnx_sha256": "old", "name": "another"},
        _MADE | {"onnx_sha256": "old", "weights_fingerprint": "own weights"},
        _MADE | {"onnx_sha256": "old", "preprocessing": {"size": 320}},
        "{ not JSON",
        "[1]",
    ],
)
def test_another_network_is_no_news(tmp_path: Path, other: object) -> None:
    made = _put(tmp_path / "net-2", _MADE)
    _put(tmp_path / "net-1", other)
    assert superseded(made, _RECORD) == ""


def test_alone_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert superseded(_put(tmp_path / "net-2", _MADE), _RECORD) == ""
