"""Data sets by name. In: names, archives as they are published. Out: what train takes, or why not."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tellapart.cli.main import main
from tellapart.data.listing import read_listing
from tellapart.errors import DataError, SettingsError
from tellapart.reporter import Silent
from tellapart.workflows import demo_sets
from tellapart.workflows.demo_sets import DEMO_SETS, demo_set, get_demo


@pytest.mark.parametrize("name", ["solar-cells", "digits"])
def test_what_comes_with_packages(tmp_path: Path, name: str) -> None:
    chosen = demo_set(name)
    listing = read_listing(get_demo(chosen, tmp_path, Silent()))
    assert len(listing.entries) == chosen.pictures
    assert len(listing.classes) == chosen.classes


def test_what_is_fetched_says_from_where() -> None:
    for chosen in DEMO_SETS.values():
        for file in chosen.files:
            assert file.address.startswith("https://")
            assert len(file.sha256 or file.md5 * 2) == 64
            assert file.size > 5000


def archive(tmp_path: Path, *, without: str = "") -> None:
    """An archive as CIFAR-10's, where `fetch` finds it."""
    folder = tmp_path / "demo" / "cifar-10"
    folder.mkdir(parents=True)
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as made:
        rows = np.random.default_rng(0).integers(0, 2, (3, 3073), dtype=np.uint8)
        names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", "batches.meta.txt"]
        for name in names:
            data = b"airplane\nautomobile\n" if name.endswith(".txt") else rows.tobytes()
            if name != without:
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = len(data)
                made.addfile(member, io.BytesIO(data))
        escape = tarfile.TarInfo("../escaped.txt")
        made.addfile(escape, io.BytesIO())


def there(tmp_path: Path) -> demo_sets.DemoSet:
    chosen = demo_set("cifar-10")
    size = (tmp_path / "demo" / "cifar-10" / "cifar-10-binary.tar.gz").stat().st_size
    return replace(chosen, files=(replace(chosen.files[0], size=size),))


def test_cifar_out_of_its_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(tmp_path)
    monkeypatch.setattr(demo_sets, "DEMO_SETS", {"cifar-10": there(tmp_path)})
    listing = read_listing(get_demo(there(tmp_path), tmp_path, Silent()))
    assert listing.classes == ("airplane", "automobile")
    assert not (tmp_path / "demo" / "escaped.txt").exists()
    assert not (tmp_path / "demo" / "cifar-10" / "escaped.txt").exists()


def test_an_archive_that_lacks_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive(tmp_path, without="data_batch_3.bin")
    monkeypatch.setattr(demo_sets, "DEMO_SETS", {"cifar-10": there(tmp_path)})
    with pytest.raises(DataError, match=r"is damaged .*data_batch_3.bin.*Remove it"):
        get_demo(there(tmp_path), tmp_path, Silent())


def test_an_unknown_name() -> None:
    with pytest.raises(SettingsError, match="there is no demo 'cats'. Choose solar-cells, digits"):
        demo_set("cats")
    with pytest.raises(SettingsError, match=r"Did you mean 'cifar-10'\?$"):
        demo_set("cifar10")


def test_the_list_on_the_screen() -> None:
    result = CliRunner().invoke(main, ["demo", "--list"])
    assert result.exit_code == 0
    assert all(name in result.output for name in DEMO_SETS)


def test_only_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELLAPART_CACHE", str(tmp_path))
    result = CliRunner().invoke(main, ["demo", "digits", "--data", "--quiet"])
    assert result.output.strip() == str(tmp_path / "demo" / "digits.npz")


def test_json_is_for_the_list() -> None:
    result = CliRunner().invoke(main, ["demo", "--json"])
    assert result.exit_code == 2
    assert "--json is for --list" in result.output
