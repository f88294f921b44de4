"""Checkpoints that are whole, foreign or damaged. In: folders. Out: verdicts. Next: test_update.py."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from tellapart.errors import ForeignCheckpoint, StorageError, TrainingError
from tellapart.training.checkpoint import Checkpoints


def _tensors(value: float) -> dict[str, Tensor]:
    shared = torch.full((4, 4), value)
    return {
        "matrix": torch.full((3, 2), value),
        "turned": torch.arange(6.0).view(2, 3).T + value,
        "wide": torch.full((1, 4, 3, 3), value).to(memory_format=torch.channels_last),
        "half": torch.tensor([value, 2.0], dtype=torch.bfloat16),
        "count": torch.tensor(7),
        "empty": torch.zeros(0),
        "twin": shared,
        "view": shared[:2],
    }


def _save(checkpoints: Checkpoints, epoch: int, step: int = 0, best: int = 0) -> None:
    if best:
        checkpoints.save_best({"w": torch.tensor([float(best)])}, epoch=best)
    checkpoints.save(_tensors(epoch), {"lr": 0.1, "inf": float("inf")}, epoch=epoch, step=step, best_epoch=best)


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


def _open(folder: Path, fingerprint: str = "mine") -> Checkpoints:
    return Checkpoints(folder, fingerprint=fingerprint)


def test_nothing_there(folder: Path) -> None:
    checkpoints = _open(folder)
    assert checkpoints.load() is None
    assert checkpoints.messages == []


def test_it_comes_back_bit_by_bit(folder: Path) -> None:
    _save(_open(folder), 2, 5, best=1)
    loaded = _open(folder).load()
    assert loaded is not None
    assert (loaded.epoch, loaded.step, loaded.state) == (2, 5, {"lr": 0.1, "inf": float("inf")})
    expected = _tensors(2)
    assert loaded.tensors.keys() == expected.keys()
    for name, tensor in loaded.tensors.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])
        assert tensor.data_ptr() % 64 == 0 or not tensor.numel()  # as torch allocates, so kernels round alike
    assert loaded.best is not None
    assert torch.equal(loaded.best["w"], torch.tensor([1.0]))


def test_the_file_is_plain_safetensors(folder: Path) -> None:
    _save(_open(folder), 1)
    with safe_open(folder / "checkpoint-00001-0000000.safetensors", framework="np") as file:
        assert set(file.metadata()) == {"version", "state", "sha256"}
        assert json.loads(file.metadata()["state"])["fingerprint"] == "mine"


def test_two_are_kept_with_the_best_weights_that_they_name(folder: Path) -> None:
    checkpoints = _open(folder)
    for epoch, best in ((1, 1), (2, 2), (3, 2), (4, 4)):
        _save(checkpoints, epoch, best=best)
    assert _names(folder) == [
        "best-00002.safetensors",
        "best-00004.safetensors",
        "checkpoint-00003-0000000.safetensors",
        "checkpoint-00004-0000000.safetensors",
    ]


def test_one_that_is_written_anew_leaves_the_one_before(folder: Path) -> None:
    checkpoints = _open(folder)
    for epoch, best in ((1, 1), (2, 2), (2, 2), (2, 2)):
        _save(checkpoints, epoch, best=best)
    assert _names(folder) == [
        "best-00001.safetensors",
        "best-00002.safetensors",
        "checkpoint-00001-0000000.safetensors",
        "checkpoint-00002-0000000.safetensors",
    ]


def test_what_a_kill_left_and_what_is_not_ours(folder: Path) -> None:
    _save(_open(folder), 1)
    (folder / ".checkpoint-00001-0000004.safetensors.123.part").write_bytes(b"half")
    (folder / ".tmpKkuwwy").write_bytes(b"half")  # safetensors' own
    (folder / "notes.txt").write_text("mine")
    checkpoints = _open(folder)
    assert checkpoints.load() is not None
    _save(checkpoints, 2)
    assert _names(folder) == [
        "checkpoint-00001-0000000.safetensors",
        "checkpoint-00002-0000000.safetensors",
        "notes.txt",
    ]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def _flip_state(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'\\"lr\\": 0.1', b'\\"lr\\": 0.2'))


@pytest.mark.parametrize(
    ("damage", "reason"),
    [(_cut, "cannot be read"), (_empty, "cannot be read"), (_flip, "checksum"), (_flip_state, "checksum")],
)
def test_damage_falls_back_to_the_one_before(folder: Path, damage: object, reason: str) -> None:
    checkpoints = _open(folder)
    _save(checkpoints, 1)
    _save(checkpoints, 1, 6)
    newest = folder / "checkpoint-00001-0000006.safetensors"
    before = newest.read_bytes()
    assert callable(damage)
    damage(newest)
    assert newest.read_bytes() != before
    again = _open(folder)
    loaded = again.load()
    assert loaded is not None
    assert (loaded.epoch, loaded.step) == (1, 0)
    assert len(again.messages) == 1
    assert newest.name in again.messages[0]
    assert reason in again.messages[0]
    _save(again, 1, 3)  # the good one is kept, the damaged one goes
    assert _names(folder) == ["checkpoint-00001-0000000.safetensors", "checkpoint-00001-0000003.safetensors"]


def test_missing_best_weights_are_damage_too(folder: Path) -> None:
    checkpoints = _open(folder)
    _save(checkpoints, 1, best=1)
    _save(checkpoints, 2, best=2)
    (folder / "best-00002.safetensors").unlink()
    again = _open(folder)
    loaded = again.load()
    assert loaded is not None
    assert loaded.epoch == 1
    assert "best-00002.safetensors is missing" in again.messages[0]


def test_none_whole_starts_over_and_says_so(folder: Path) -> None:
    _save(_open(folder), 1)
    _cut(folder / "checkpoint-00001-0000000.safetensors")
    again = _open(folder)
    assert again.load() is None
    assert again.messages[-1] == f"none of the 1 checkpoints in {folder} is whole; started over."


def test_a_foreign_one_is_refused(folder: Path) -> None:
    _save(_open(folder), 1)
    with pytest.raises(
        TrainingError, match=r"belongs to another training: its fingerprint is mine, this one's is other\."
    ):
        _open(folder, "other").load()
    assert _names(folder) == ["checkpoint-00001-0000000.safetensors"]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """No file may grow over 20 kB, as on a disk that fills up."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_leaves_the_old_one_intact(folder: Path) -> None:
    checkpoints = _open(folder)
    _save(checkpoints, 1)
    large = {"w": torch.zeros(100_000)}
    with pytest.raises(StorageError, match=r"cannot use .*checkpoint-00002.*: the file would be larger than"):
        checkpoints.save(large, {}, epoch=2, step=0, best_epoch=0)
    with pytest.raises(StorageError, match="best-00002"):
        checkpoints.save_best(large, epoch=2)
    assert _names(folder) == ["checkpoint-00001-0000000.safetensors"]
    loaded = _open(folder).load()
    assert loaded is not None
    assert loaded.epoch == 1


def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="is a file, not a folder|a file of that name"):
        _save(_open(tmp_path / "file"), 1)


def test_another_version_is_refused(folder: Path) -> None:
    folder.mkdir()
    save_file({}, folder / "checkpoint-00001-0000000.safetensors", {"version": "99", "state": "of another kind"})
    with pytest.raises(ForeignCheckpoint, match="is of checkpoint version 99, this program reads 2"):
        _open(folder).load()


def test_files_are_readable_as_the_umask_says(folder: Path) -> None:
    _save(_open(folder), 1)
    mask = os.umask(0o022)
    os.umask(mask)
    mode = (folder / "checkpoint-00001-0000000.safetensors").stat().st_mode & 0o777
    assert mode == 0o666 & ~mask
