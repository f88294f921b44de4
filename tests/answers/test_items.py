"""Which files a name stands for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.answers.items import PathItem, expand, read_item
from tellapart.errors import PictureError
from tellapart.storage import own_folder


def test_folders_that_we_wrote_are_passed_over_unless_named(tmp_path: Path) -> None:
    own_folder(tmp_path / "in" / "runs")
    for name in ("in/1.jpg", "in/runs/report.png"):
        (tmp_path / name).touch()
    own: list[str] = []
    assert [item.path for item in expand([str(tmp_path / "in")], own)] == [str(tmp_path / "in" / "1.jpg")]
    assert own == [str(tmp_path / "in" / "runs")]
    named = [item.path for item in expand([str(tmp_path / "in" / "runs")], own)]
    assert named == [str(tmp_path / "in" / "runs" / "report.png")]


@pytest.mark.parametrize("address", ["file:///a.jpg", "ftp://example.org/a.jpg", "s3://pets/a.jpg"])
def test_an_address_of_another_kind_says_which_are_fetched(address: str) -> None:
    with pytest.raises(PictureError, match="no such file; of addresses, those of http and https are fetched"):
        read_item(PathItem(path=address, named=True))
