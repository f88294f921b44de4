"""A backbone made ready to run. In: a timm name. Out: Backbone files in the cache. Next: engine.py.

An embedded network is assembled from its kept graph in a moment (models/assembling.py), in a thread. Any other, and one whose
kept graph is damaged or of other weights, is exported with PyTorch in a process of its own (models/export.py). Both happen
while the audit reads pictures; the result is kept in the cache folder, checked by SHA-256, and made again if anything is
missing or altered.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart import errors
from tellapart.errors import BackboneError
from tellapart.features.superseded import superseded
from tellapart.models.assembling import assemble
from tellapart.models.catalog import BACKBONES, EmbeddedWeights, LastPooling
from tellapart.models.kept_graph import GRAPHS, graph_file
from tellapart.models.symmetry import TestTimeAugmentation
from tellapart.models.weights import check_name, lookup_key
from tellapart.preprocessing import Preprocessing
from tellapart.storage import current_umask, storage_errors
from tellapart.threads import settle_numpy

_PARTIAL = ".exporting-"
_ABANDONED_SECONDS = 3600.0
_RECORD = "backbone.json"
_TRIES = 3  # to move a network to its place; another process may do the same meanwhile
_FORMAT = 3  # raise it when the files in the folder change their meaning


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyBackbone:
    """An exported backbone on disk."""

    name: str
    network: Path  # ONNX: uint8 [N, S, S, 3] -> embedding float32 [N, D]
    weights: Path  # safetensors, timm's names
    preprocessing: Preprocessing
    embedding: int  # D, of all that `network` gives
    weights_source: str
    weights_license: str
    fingerprint: str  # SHA-256 of the weights
    reused: bool
    seconds: float  # that the export took; 0 when reused
    test_time_augmentation: TestTimeAugmentation = "none"  # the views of a picture that an embedding is the mean over
    stages: tuple[int, ...] = ()  # how many numbers of each stage the embedding begins with; the rest is the last layer
    pooling: LastPooling = "own"  # what is put on the last maps

    @property
    def identity(self) -> str:
        """What the embeddings depend on, beside the stages: the weights, and what is put on their maps."""
        return self.fingerprint if self.pooling == "own" else f"{self.fingerprint}:{self.pooling}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A network's graph that the package keeps, and the weights that belong to it."""

    graph: Path
    weights: EmbeddedWeights


class PendingBackbone:
    """A backbone that may still be in the making; `wait` gives it."""

    def __init__(self, name: str, folder: Path, settings: dict[str, Any], kept: Kept | None = None) -> None:
        self._name, self._folder, self._settings = name, folder, settings
        self._started = time.monotonic()
        self._ready = _read(folder)
        # How pictures are made for it, as soon as that is known; of what is exported only once it is there.
        self.preprocessing = None if self._ready is None else self._ready.preprocessing
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._temporary: Path | None = None
        self._cancelled = False
        self._error: Exception | None = None
        self.remark = ""  # once it is there: why it took longer than it should, or other work will; mostly empty
        if self._ready is None:
            self._start(kept)

    @property
    def running(self) -> bool:
        """Whether it is still being made."""
        return self.exporting or (self._thread is not None and self._thread.is_alive())

    @property
    def exporting(self) -> bool:
        """Whether PyTorch is at work, which takes a core for seconds."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> ReadyBackbone:
        """Wait until it is made. Raises: BackboneError or StorageError with the export's own message."""
        if self._ready is None:
            if self._thread is not None:
                self._thread.join()
            self._ready = self._finish()
        return self._ready

    def cancel(self) -> None:
        """Stop what makes it and remove what that wrote."""
        self._cancelled = True
        if self._thread is not None:
            self._thread.join()  # under a second
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _start(self, kept: Kept | None) -> None:
        if kept is None:
            check_name(self._name)  # rather than by the export, which is waited for once all pictures were looked at
        with storage_errors(self._folder):
            self._folder.parent.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(self._folder.parent)
            self._temporary = Path(tempfile.mkdtemp(dir=self._folder.parent, prefix=_PARTIAL))
        if kept is None:
            self._export(self._temporary)
        else:
            arguments = (kept, self._temporary)
            settle_numpy()
            # No daemon: as of threads.import_ahead, torn out of onnx at the program's end it would end it by abort().
            self._thread = threading.Thread(target=self._assemble, args=arguments, name="assemble")
            self._thread.start()

    def _assemble(self, kept: Kept, folder: Path) -> None:
        """Fill the kept graph; where it does not fit, or a package is missing, PyTorch has its turn."""
        try:
            size, crop = self._settings["size"], self._settings["crop"]
            assemble(kept.graph, kept.weights, folder, size=size, crop=crop)
            self.preprocessing = _preprocessing(json.loads((folder / _RECORD).read_text(encoding="utf-8")))
        except (BackboneError, ImportError) as error:
            self.remark = (
                f"The graph of {self._name} that tellapart keeps cannot be used: {error} It was exported with PyTorch instead, "
                "which takes longer, this once. Upgrade tellapart, or install its own versions of the packages: "
                'pip install --upgrade "tellapart[train]"'
            )
            if not self._cancelled:
                self._export(folder)
        except Exception as error:  # raised where it is waited for
            self._error = error

    def _export(self, folder: Path) -> None:
        arguments = [self._name, str(folder), json.dumps(self._settings)]
        command = [sys.executable, "-m", "tellapart.models.export", *arguments]
        # Errors go to a file: a pipe that nobody reads while the audit runs could fill up and stop the export.
        with (folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
            )

    def _finish(self) -> ReadyBackbone:
        if self._temporary is None or not (self._thread or self._process):
            raise BackboneError(f"the backbone {self._name} is missing from {self._folder}. Run the command again.")
        try:
            if self._error is not None:
                raise self._error
            if self._process is not None:
                output, _ = self._process.communicate()
                if self._process.returncode != 0:
                    raise _failure(self._name, output, self._temporary / "stderr")
            with storage_errors(self._folder):
                os.chmod(self._temporary, 0o777 & ~current_umask())
                put_in_place(self._temporary, self._folder)
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)
        ready = _read(self._folder, seconds=time.monotonic() - self._started)
        if ready is None:
            raise BackboneError(
                f"the export of {self._name} left no usable file in {self._folder}. Run the command again."
            )
        self.remark = self.remark or superseded(self._folder, _RECORD)
        return ready


def prepare_backbone(
    name: str,
    *,
    cache: Path,
    weights: Path | None,
    size: int | None = None,
    crop: float | None = None,
    pooling: LastPooling | None = None,
    graphs: Path = GRAPHS,
) -> PendingBackbone:
    """Find the backbone in the cache, or start to make it. Raises: BackboneError, StorageError.

    `size` is the input's side in pixels, `crop` the share of a picture's shorter side that it shows; None: the weights' own.
    `pooling` is what is put on the last maps, None what the network's library puts there.
    `graphs` is where graphs without weights are kept; one that is not there is exported.
    """
    pooling = pooling or "own"
    kept = None if weights is not None or pooling != "own" else _kept(name, graphs)
    key = f"{_FORMAT}:{lookup_key(name, weights)}:{_makers(kept)}" + (f":{size}:{crop}" if size or crop else "")
    key += "" if pooling == "own" else f":{pooling}"
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    safe = "".join(character if character.isalnum() or character in "._-" else "_" for character in name)[:80]
    settings = {"weights": None if weights is None else str(weights), "size": size, "crop": crop}
    settings |= {} if pooling == "own" else {"pooling": pooling}
    return PendingBackbone(name, cache / "backbones" / f"{safe}-{digest}", settings, kept)


def _kept(name: str, graphs: Path) -> Kept | None:
    known = BACKBONES.get(name)
    if known is None or known.embedded is None or not graph_file(name, graphs).is_file():
        return None
    return Kept(graph=graph_file(name, graphs), weights=known.embedded)


def _makers(kept: Kept | None) -> str:
    """What else the files depend on: the kept graph, or the packages that export."""
    if kept is None:
        return ":".join(importlib.metadata.version(package) for package in ("timm", "torch"))
    with storage_errors(kept.graph):
        return hashlib.sha256(kept.graph.read_bytes()).hexdigest()


def list_backbones(cache: Path) -> list[Path]:
    """The folders of exported backbones in a cache folder, by name."""
    return sorted(record.parent for record in (cache / "backbones").glob(f"*/{_RECORD}"))


def remove_backbones(cache: Path) -> None:
    """Remove exported backbones, whole or abandoned, and nothing else that may lie in the folder."""
    for folder in [*list_backbones(cache), *(cache / "backbones").glob(f"{_PARTIAL}*")]:
        shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        (cache / "backbones").rmdir()


def put_in_place(made: Path, folder: Path) -> None:
    """Move the folder of a finished network to its place, unless another process has put a whole one there.

    That one stays, since its maker is at work with it. So nothing is taken away before it was seen to be of no use, and
    renaming, which the system refuses where something lies already, says who was first. Raises: OSError.
    """
    for _ in range(_TRIES):
        with contextlib.suppress(OSError):
            os.rename(made, folder)
            return
        if _read(folder) is not None:
            return
        useless = Path(tempfile.mkdtemp(dir=folder.parent, prefix=_PARTIAL))
        with contextlib.suppress(OSError):
            os.rename(folder, useless / folder.name)
        shutil.rmtree(useless, ignore_errors=True)
    os.rename(made, folder)


def _remove_abandoned(folder: Path) -> None:
    """Remove what exports left behind that were killed; one that is an hour old is no longer at work."""
    for path in folder.glob(f"{_PARTIAL}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _read(folder: Path, *, seconds: float = 0.0) -> ReadyBackbone | None:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        for file, key in (("network.onnx", "onnx_sha256"), ("weights.safetensors", "weights_fingerprint")):
            if hashlib.sha256((folder / file).read_bytes()).hexdigest() != record[key]:
                return None
        return ReadyBackbone(
            name=record["name"],
            network=folder / "network.onnx",
            weights=folder / "weights.safetensors",
            preprocessing=_preprocessing(record),
            embedding=record["embedding"],
            stages=tuple(record["stages"]),
            pooling=record.get("pooling", "own"),
            weights_source=record["weights_source"],
            weights_license=record["weights_license"],
            fingerprint=record["weights_fingerprint"],
            reused=seconds == 0.0,
            seconds=seconds,
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # whatever damage leaves of the record
        return None


def _preprocessing(record: Mapping[str, Any]) -> Preprocessing:
    settings = record["preprocessing"]
    return Preprocessing(**{**settings, "mean": tuple(settings["mean"]), "std": tuple(settings["std"])})


def _failure(name: str, output: bytes, log: Path) -> Exception:
    try:
        record = json.loads(output.decode().strip().splitlines()[-1])
        kind = getattr(errors, record["error"])
        known: Exception = kind(record["message"])
        return known
    except (ValueError, LookupError, AttributeError, TypeError):
        tail = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        return BackboneError(
            f"the export of {name} stopped ({tail[0][:300] if tail else 'no message'}). Check that "
            '`pip install "tellapart[train]"` is complete and that memory is not full, then run the command again.'
        )
