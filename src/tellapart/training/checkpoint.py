"""Checkpoints that survive a kill at any moment. In: tensors, JSON values. Out: files, LoadedCheckpoint. Next: state.py.

RUN/checkpoints/ holds at most two `checkpoint-EPOCH-STEP.safetensors` (the newest and the one before) and the
`best-EPOCH.safetensors` that those two name. Each is written beside its place and moved there whole. Its metadata are
`version`, `state` (JSON) and `sha256`, over that JSON and all tensors; nothing is pickled.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tellapart.errors import ForeignCheckpoint
from tellapart.storage import current_umask, storage_errors
from tellapart.training.checkpoint_version import PATTERN, VERSION, check_version

# Files that are ours to remove; .tmp and six letters is how safetensors names what it is writing.
_NAMES = re.compile(r"\.?(checkpoint-\d+-\d+|best-\d+)\.safetensors(\.\d+\.part)?|\.tmp\w{6}")
_SYSTEM_ERROR = re.compile(r"os error (\d+)")  # how safetensors, written in Rust, tells what the system refused


class _Damaged(Exception):
    """A file is cut short, changed or not ours; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedCheckpoint:
    """A whole checkpoint, as it was saved."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any]  # JSON values
    epoch: int  # finished epochs
    step: int  # finished updates of the epoch after
    best: Mapping[str, Tensor] | None  # the best weights so far; None before the end of the first epoch


class Checkpoints:
    """The checkpoints of one training, in a folder of their own."""

    def __init__(self, folder: Path, *, fingerprint: str) -> None:
        """`fingerprint` stands for all that the weights depend on; checkpoints with another one are refused."""
        self.folder, self.fingerprint = folder, fingerprint
        self.messages: list[str] = []  # what `load` found damaged
        self._kept: list[tuple[Path, int]] = []  # the newest whole checkpoints and the epochs of their best weights

    def save(
        self, tensors: Mapping[str, Tensor], state: Mapping[str, Any], *, epoch: int, step: int, best_epoch: int
    ) -> None:
        """Write a checkpoint; the one before stays, older ones go. `best_epoch` 0: no best weights yet. Tensors of any shape [...].

        Raises: StorageError when the disk is full or the folder refuses; the checkpoints before are untouched.
        """
        path = self.folder / f"checkpoint-{epoch:05d}-{step:07d}.safetensors"
        head = {"fingerprint": self.fingerprint, "epoch": epoch, "step": step, "best_epoch": best_epoch, "state": state}
        _write(path, tensors, json.dumps(head))
        older = [one for one in self._kept if one[0] != path]  # it may be written anew, as that of the end
        self._kept = kept = [(path, best_epoch), *older[:1]]
        names = {file.name for file, _ in kept} | {_best_name(epoch) for _, epoch in kept}
        for file in self.folder.iterdir():
            if _NAMES.fullmatch(file.name) and file.name not in names:
                with contextlib.suppress(OSError):
                    file.unlink()

    def save_best(self, tensors: Mapping[str, Tensor], *, epoch: int) -> None:
        """Write the weights of the best epoch (from 1), before the checkpoint that names it. Raises: StorageError."""
        head = {"fingerprint": self.fingerprint, "epoch": epoch}
        _write(self.folder / _best_name(epoch), tensors, json.dumps(head))

    def load(self) -> LoadedCheckpoint | None:
        """The newest whole checkpoint, or None when there is none. What was damaged is told in `messages`.

        Raises: TrainingError when the checkpoint belongs to another training, StorageError when it cannot be read.
        """
        with storage_errors(self.folder):
            paths = sorted(self.folder.glob(PATTERN), reverse=True)
        for path in paths:
            try:
                loaded, best_epoch = self._read(path)
            except _Damaged as damage:
                self.messages.append(
                    f"{path.name} is damaged ({damage}); went back to the checkpoint before. "
                    "Nothing else is lost: the epochs since then are trained again."
                )
                continue
            self._kept = [(path, best_epoch)]
            return loaded
        if paths:
            self.messages.append(f"none of the {len(paths)} checkpoints in {self.folder} is whole; started over.")
        return None

    def _read(self, path: Path) -> tuple[LoadedCheckpoint, int]:
        tensors, head = _read(path)
        self._check(path, head)
        best = None
        if head["best_epoch"]:
            best, best_head = _read(self.folder / _best_name(head["best_epoch"]))
            self._check(self.folder / _best_name(head["best_epoch"]), best_head)
        loaded = LoadedCheckpoint(
            tensors=tensors, state=head["state"], epoch=head["epoch"], step=head["step"], best=best
        )
        return loaded, head["best_epoch"]

    def _check(self, path: Path, head: Mapping[str, Any]) -> None:
        if head["fingerprint"] != self.fingerprint:
            raise ForeignCheckpoint(
                f"{path} belongs to another training: its fingerprint is {head['fingerprint'][:12]}, this one's is "
                f"{self.fingerprint[:12]}. Pictures, labels or settings have changed since it began: bring them back to resume it, "
                "or train into a new folder."
            )


def _best_name(epoch: int) -> str:
    return f"best-{epoch:05d}.safetensors"


def _write(path: Path, tensors: Mapping[str, Tensor], state: str) -> None:
    """As storage.replacing does, but by name: safetensors streams to a name, and its bytes would double the memory."""
    ready = _separate(tensors)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _system_errors():
                save_file(ready, part, {"version": VERSION, "state": state, "sha256": _digest(ready, state)})
            with part.open("r+b") as file:
                os.fsync(file.fileno())
            os.chmod(part, 0o666 & ~current_umask())  # safetensors hides it from the user's group
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise


def _separate(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors on the CPU that share no memory, as safetensors wants them; copied only where they are not."""
    ready: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.untyped_storage().data_ptr() in seen:
            plain = plain.clone()
        seen.add(plain.untyped_storage().data_ptr())
        ready[name] = plain
    return ready


@contextlib.contextmanager
def _system_errors() -> Iterator[None]:
    """What safetensors tells of the system's refusals, as the OSError that it was."""
    try:
        yield
    except SafetensorError as error:
        found = _SYSTEM_ERROR.search(str(error))
        if found is None:
            raise
        raise OSError(int(found[1]), os.strerror(int(found[1]))) from error


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with _system_errors(), safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise _Damaged(f"{path.name} is missing") from None
    except SafetensorError as error:
        raise _Damaged(f"{path.name} cannot be read: {error}") from None
    check_version(path, metadata)
    state = metadata.get("state", "")
    if metadata.get("sha256") != _digest(tensors, state):
        raise _Damaged(f"the checksum of {path.name} differs")
    head: dict[str, Any] = json.loads(state)
    return tensors, head


def _digest(tensors: Mapping[str, Tensor], state: str) -> str:
    digest = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
