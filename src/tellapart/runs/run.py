"""A run on disk. In: settings. Out: Run, a folder that is never overwritten. Next: workflows/train.py.

A folder with `unfinished.json` is a run that was stopped; `tellapart train --resume FOLDER` goes on with it. The marker
goes away when model.onnx is whole, and only then what a resumed run needs.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from tellapart.deep_values import Span, as_text
from tellapart.errors import SettingsError
from tellapart.preprocessing import Fit
from tellapart.runs.places import RunAtWork, moved_data, no_run, point_latest
from tellapart.runs.recipe import recipe_text
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.settings.tree import TrainSettings
from tellapart.sources.places import whole_path
from tellapart.storage import current_umask, own_folder, storage_errors, sweep_parts, write_bytes, write_json
from tellapart.training.checkpoint_version import check_folder

MARKER = "unfinished.json"
WORK = "work"  # in the run's folder, until the run is finished
SEARCH = "search"  # in the run's folder, where its settings were searched
SCAFFOLD = ("checkpoints", WORK)  # folders that a finished run does not need
FOLDS = "folds"  # in the run's folder: the runs of its folds


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's folder and settings."""

    folder: Path
    settings: TrainSettings
    lock: IO[bytes] | None  # held while the run is at work; None where the system has no such locks
    fold: bool = False  # it is one of the K folds of another run, in whose folder it lies
    planned: bool = False  # how long it trains is in the settings already: nothing about it is decided anew

    def log(self, event: str, **facts: Any) -> None:
        """Add one line to log.jsonl. An epoch that a killed process has told already is not told again."""
        path = self.folder / "log.jsonl"
        record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with storage_errors(path), path.open("a+b") as file:
            file.seek(0)
            lines = file.read()
            if event == "epoch" and any(told.get("number") == facts["number"] for told in _told(lines, event)):
                return
            cut = b"\n" if lines and not lines.endswith(b"\n") else b""  # a kill left half a line
            file.write(cut + json.dumps(record, ensure_ascii=False).encode() + b"\n")

    def finish(self) -> None:
        """Take away the marker, then what only a resumed run needs, and point `latest` here. Raises: StorageError."""
        with storage_errors(self.folder):
            (self.folder / MARKER).unlink(missing_ok=True)
        self.release()
        for name in SCAFFOLD:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        if not self.fold:
            point_latest(self.folder)

    @property
    def finished(self) -> bool:
        """Whether its model is whole."""
        return not (self.folder / MARKER).exists()

    @property
    def has_end(self) -> bool:
        """Whether something beside its budget ends it, so that it must tell how long it will take."""
        return False

    def discard(self) -> None:
        """Remove the run: it ended before anything was learned."""
        self.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def release(self) -> None:
        """Let go of the run: it is finished, or was stopped and may be resumed."""
        if self.lock is not None:
            self.lock.close()


def _told(lines: bytes, event: str) -> Iterator[dict[str, Any]]:
    """The records of one kind in a log.jsonl; half a line, which a kill leaves, is none."""
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and record.get("event") == event:
                yield record


def _is_planned(folder: Path) -> bool:
    """Whether an earlier process has told the plan, which it writes into the recipe before it tells it."""
    path = folder / "log.jsonl"
    with storage_errors(path):
        lines = path.read_bytes() if path.exists() else b""
    return any(_told(lines, "planned"))


def with_absolute_inputs(settings: TrainSettings) -> TrainSettings:
    """The same settings with whole paths, so that a run can be resumed or repeated from another folder."""
    given = {"data": settings.data, "labels": settings.labels, "weights": settings.weights}
    whole = {name: None if path is None else whole_path(path) for name, path in given.items()}
    if settings.base is not None:
        whole["base"] = os.path.realpath(settings.base)  # `latest` is to be this very run before long
    if settings.embeddings is not None and os.path.isdir(settings.embeddings):  # else it is a name
        whole["embeddings"] = os.path.abspath(settings.embeddings)
    told = {"root": settings.reading.root, "classes": settings.reading.classes}
    paths = {
        name: os.path.abspath(value)
        for name, value in told.items()
        if value is not None and (name == "root" or os.path.isfile(value))
    }
    reading, network = settings.reading.model_copy(update=paths), settings.network
    if network.text.vectors is not None:
        text = network.text.model_copy(update={"vectors": os.path.abspath(network.text.vectors)})
        network = network.model_copy(update={"text": text})
    return settings.model_copy(update={**whole, "reading": reading, "network": network})


def start_run(settings: TrainSettings) -> Run:
    """Make a new folder OUT/NAME, NAME being the data set and the time. Raises: StorageError."""
    out = Path(settings.out)
    settings = with_absolute_inputs(settings).model_copy(update={"out": os.path.abspath(settings.out)})
    name = f"{_safe(Path(settings.data).stem)}-{datetime.now():%Y%m%d-%H%M%S}"
    folder = _new_folder(out / name, settings)
    run = Run(folder=folder, settings=settings, lock=_lock(folder))
    run.log("started", settings=settings.model_dump())
    return run


def open_fold(run: Run, place: int) -> Run:
    """The run of a fold, counted from 0, in the folder of the `run` whose fold it is: a new one, or one that was begun.

    Raises: StorageError; ForeignCheckpoint when another version has saved it.
    """
    folder = fold_folder(run.folder, place)
    if not (folder / "recipe.toml").is_file():
        opened = Run(folder=_new_folder(folder, run.settings), settings=run.settings, lock=None, fold=True)
        opened.log("started")
        return opened
    check_folder(folder / "checkpoints")
    told = {
        name: getattr(run.settings, name) for name in ("data", "labels", "weights", "reading", "report", "language")
    }
    settings = make_settings(read_recipe(folder / "recipe.toml")).model_copy(update=told)
    opened = Run(folder=folder, settings=settings, lock=None, fold=True, planned=_is_planned(folder))
    if not opened.finished:
        opened.log("resumed")
    return opened


def fold_folder(folder: Path, place: int) -> Path:
    """Where the fold, counted from 0, of the run in `folder` lies."""
    return folder / FOLDS / str(place + 1)


def _new_folder(wanted: Path, settings: TrainSettings) -> Path:
    """A new folder of a run, called so or with a number behind. Raises: StorageError."""
    out = wanted.parent
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        # Filled under another name first: a run's folder that exists at all can be resumed.
        partial = Path(tempfile.mkdtemp(dir=out, prefix=f".{wanted.name}-"))
        try:
            os.chmod(partial, 0o777 & ~current_umask())
            own_folder(partial)
            write_bytes(partial / "recipe.toml", recipe_text(settings).encode())
            write_json(partial / MARKER, {"process": os.getpid(), "host": socket.gethostname()})
            return _rename_to_free_name(partial, wanted)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _rename_to_free_name(partial: Path, wanted: Path) -> Path:
    folder, number = wanted, 1
    while True:
        try:
            os.rename(partial, folder)  # refused where a folder with something in it has the name already
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
            continue
        return folder


def _lock(folder: Path) -> IO[bytes] | None:
    """Hold the run's marker, until this process ends in whatever way, so that nobody else resumes the run."""
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    with storage_errors(folder):
        marker = (folder / MARKER).open("rb")
    try:
        fcntl.flock(marker, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        marker.close()
        raise RunAtWork(
            f"the run {folder} is at work in another process; one run is one process's. Wait for it, or stop it first."
        ) from None
    return marker


def replan(
    run: Run, *, epochs: int, views: int | None = None, unfreeze: str | None = None, size: int | None = None
) -> Run:
    """The run with what was planned for it in its settings and its recipe: resumed or repeated, it plans nothing again.

    Raises: StorageError.
    """
    settings = run.settings
    finetune = {name: value for name, value in (("views", views), ("unfreeze", unfreeze)) if value is not None}
    update: dict[str, Any] = {"loop": settings.loop.model_copy(update={"epochs": epochs})}
    update["finetune"] = settings.finetune.model_copy(update=finetune)
    if size is not None:
        update["network"] = settings.network.model_copy(update={"size": size})
    return replace(_kept(run, settings.model_copy(update=update)), planned=True)


def keep_first(run: Run, *, epochs: int, views: int) -> Run:
    """The run with how long its first answer learns, and from how many views, in its settings and its recipe.

    Raises: StorageError.
    """
    finetune = run.settings.finetune.model_copy(update={"first_epochs": epochs, "first_views": views})
    return _kept(run, run.settings.model_copy(update={"finetune": finetune}))


def keep_pixels(run: Run, *, fit: Fit, value_range: Span | None) -> Run:
    """The run with how its pictures are read in its settings and its recipe. Raises: StorageError."""
    settings = run.settings
    told = {
        "network": settings.network.model_copy(update={"fit": fit}),
        "value_range": None if value_range is None else as_text(value_range),
    }
    return _kept(run, settings.model_copy(update=told))


def keep_settings(run: Run, settings: TrainSettings) -> Run:
    """The run with settings that suit its data, in its recipe too. Raises: StorageError."""
    return run if settings == run.settings else _kept(run, settings)


def _kept(run: Run, settings: TrainSettings) -> Run:
    write_bytes(run.folder / "recipe.toml", recipe_text(settings).encode())
    return replace(run, settings=settings)


def resume_run(
    folder: Path, *, pictures: Path | None = None, changes: Mapping[str, Any] | None = None, searching: bool = False
) -> Run:
    """Open a stopped run again, with the settings that it was started with.

    `pictures` is where its folder or table of pictures lies now, which its recipe says from then on; `changes` are settings that
    nothing learned depends on, for this process. A run that begins with a search is for who is `searching`.
    Raises: SettingsError when the folder is no run, or the run is finished, or its pictures are not there; ForeignCheckpoint when
    another version has saved it.
    """
    if not (folder / "recipe.toml").is_file():
        raise no_run(folder)
    if _is_fold(folder):
        raise SettingsError(
            f"{folder} is one fold of a run, and folds are gone on with together. Give the run: "
            f"tellapart train --resume {folder.absolute().parent.parent}"
        )
    if searching and not (folder / SEARCH).is_dir():
        rest = "is finished" if not (folder / MARKER).exists() else f"goes on with: tellapart train --resume {folder}"
        raise SettingsError(
            f"the run {folder} was begun without a search, and {rest}. Begin a search: tellapart search PICTURES, around its "
            f"settings with --recipe {folder / 'recipe.toml'}"
        )
    if not (folder / MARKER).exists():
        raise SettingsError(
            f"the run {folder} is finished; only a stopped run can be resumed. "
            f"To repeat it: tellapart train --recipe {folder / 'recipe.toml'}"
        )
    if (folder / SEARCH).is_dir() and not searching:
        raise SettingsError(f"the run {folder} begins with a search. Go on with it: tellapart search --resume {folder}")
    check_folder(folder / "checkpoints")
    sweep_parts(folder)
    settings = make_settings(read_recipe(folder / "recipe.toml"))
    if pictures is None and not Path(settings.data).exists():
        raise SettingsError(
            f"the pictures of the run {folder} were {settings.data}, which is not there. Put it back, or say where it is now: "
            "--pictures FOLDER (in Python moved=)."
        )
    run = Run(folder=folder, settings=settings, lock=_lock(folder), planned=_is_planned(folder))
    if pictures is not None:
        run = replace(
            run, settings=settings.model_copy(update={"data": str(moved_data(Path(settings.data), pictures))})
        )
        write_bytes(folder / "recipe.toml", recipe_text(run.settings).encode())
    run.log("resumed")
    return replace(run, settings=run.settings.model_copy(update=dict(changes or {})))


def _is_fold(folder: Path) -> bool:
    parent = folder.absolute().parent
    return parent.name == FOLDS and (parent.parent / "recipe.toml").is_file()


def _safe(name: str) -> str:
    kept = "".join(character if character.isalnum() or character in "._-" else "_" for character in name)
    return kept.strip("._")[:60] or "pictures"
