"""Which files a name stands for."""

from __future__ import annotations

from pathlib import Path

from tellapart.answers.items import expand
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
