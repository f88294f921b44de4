"""Pictures and texts that people say are something else. In: a file, its right class. Out: a folder to train on. Next: hosts.py.

FOLDER/MODEL/labels.csv has one row a picture, path,label (path,labels for a model that names several, path,boxes for one that finds
boxes) and where it came from; the pictures lie beside it, named by the SHA-256 of their bytes, so that the same picture is there
once and no client chooses a name.
`tellapart train PICTURES --labels FOLDER/MODEL` adds them to what is trained on. Several processes may write: whoever does holds
FOLDER/.lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tellapart.answers.answering import Truth
from tellapart.answers.formulas import csv_table, csv_text
from tellapart.errors import PictureError, SettingsError, StorageError
from tellapart.preprocessing import decode
from tellapart.serving.bodies import Limits, read_body, read_form
from tellapart.serving.opened import Version
from tellapart.serving.pictures import Encoded
from tellapart.serving.plain import choose_version
from tellapart.serving.refusals import Full, NotAllowed, Refusal
from tellapart.serving.service import Service
from tellapart.storage import own_folder, storage_errors, write_bytes

TABLE = "labels.csv"
_TRUTHS = ("label", "labels", "boxes")  # columns that say what a picture shows; a table has one of them
_EXTENSIONS: Mapping[str, str] = {"JPEG": "jpg", "MPO": "jpg", "JPEG2000": "jp2", "TIFF": "tif", "PPM": "ppm"}
_LOOKED_AT = 64  # pixels, the side at which a picture is decoded to see that it can be
_NAMED = 10  # classes that a message lists
_LOG = logging.getLogger("tellapart.errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What was kept."""

    path: str  # in the folder: the model's name, /, the picture's
    column: str  # label, or labels
    text: str  # what it says now
    replaced: bool  # the picture was there already; its row says `text` now


class Corrections:
    """The folder, one in it for each model, and the limit on its size."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        """Raises: StorageError when the folder cannot be made or written; SettingsError when a table in it is another's."""
        self._folder, self._most, self._one_at_a_time = folder, most_bytes, threading.Lock()
        with self._locked():
            for own in (path for path in folder.iterdir() if path.is_dir()):
                try:
                    _read(own)
                except NotAllowed as error:
                    raise SettingsError(f"--corrections {folder}: {error}") from None

    def save(self, data: bytes, truth: Truth, version: Version) -> Saved:
        """Keep a picture and what it shows for a model; of one that is there already the row is changed.

        Raises: Refusal for an unknown class or what is no picture; Full when the folder's limit or the disk is reached;
        NotAllowed where the table is of another task.
        """
        for name in truth.names:
            _check_label(name, version)
        name = f"{hashlib.sha256(data).hexdigest()}.{_extension(data, version)}"
        row = {
            "path": name,
            truth.column: truth.cell,
            "model": version.name,
            "version": str(version.number),
            "saved": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        try:
            with self._locked():
                return self._keep(self._folder / version.name, data, row, truth)
        except Full as error:
            _LOG.warning("a correction was refused: %s", error)
            raise
        except StorageError as error:
            # Where the folder lies is for the operator, not for whoever asks.
            _LOG.error("a correction was lost: %s", error)
            reason = error.__cause__.strerror if isinstance(error.__cause__, OSError) else "it refuses"
            raise Full(
                f"the correction could not be kept, nothing was written: {reason}. Tell the server's operator."
            ) from None

    def _keep(self, own: Path, data: bytes, row: dict[str, str], truth: Truth) -> Saved:
        columns, rows = _read(own)
        if columns and truth.column not in columns:
            raise NotAllowed(
                f"{own.name}/{TABLE} in the folder of corrections has no column {truth.column!r}: it was begun for a model of "
                "another task. Its operator must move it away."
            )
        picture = own / row["path"]
        others = [one for one in rows if one["path"] != row["path"]]
        fresh = not picture.exists()
        if fresh:
            self._check_room(len(data))
            with storage_errors(own):
                own.mkdir(exist_ok=True)
            write_bytes(picture, data)
        try:
            _write(own, [*columns, *(one for one in row if one not in columns)], [*others, row])
        except BaseException:
            if fresh:
                with contextlib.suppress(OSError):
                    picture.unlink()
            raise
        replaced = len(others) < len(rows)
        return Saved(path=f"{own.name}/{row['path']}", column=truth.column, text=truth.cell, replaced=replaced)

    def _check_room(self, more: int) -> None:
        with storage_errors(self._folder):
            inside = [path for path in self._folder.iterdir() if path.is_dir()]
            used = sum(entry.stat(follow_symlinks=False).st_size for own in inside for entry in os.scandir(own))
        if used + more > self._most:
            raise Full(
                f"the folder of corrections holds {used:,} bytes and may hold {self._most:,}; this picture has {more:,}. Tell the "
                "server's operator, who can train on them, move them away, or raise --corrections-mb."
            )

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Among the threads of this process, and the processes that serve."""
        with self._one_at_a_time, contextlib.ExitStack() as stack:
            own_folder(self._folder)  # made again where it was moved away
            with storage_errors(self._folder):
                file = stack.enter_context(open(self._folder / ".lock", "ab"))
            with contextlib.suppress(ImportError, OSError):  # Windows; file systems without locks
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def routes(service: Service, limits: Limits, corrections: Corrections | None) -> list[Route]:
    """POST /corrections. A request raises: NotAllowed without a folder, Refusal for what is no correction."""
    one_at_a_time = asyncio.Semaphore(1)  # a picture is decoded whole, which must not take the cores from predictions

    async def correct(request: Request) -> Response:
        if corrections is None:
            raise NotAllowed("this server keeps no corrections. Its operator can start it with --corrections FOLDER.")
        body = await read_body(request, limits)
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise Refusal("a correction is a form. Send multipart/form-data with a file and the field `label`.")
        files, fields = await read_form(body, request)
        if len(files) != 1:
            raise Refusal(f"the form holds {len(files)} files; a correction is about one. Send one.")
        given = {**request.query_params, **fields}  # as for /predict, or in the form
        version = choose_version(service, given.get("model", ""), given.get("version", ""))
        try:
            truth = version.answering.read_truth(fields)
        except ValueError as error:
            raise Refusal(f"{error}.") from None
        async with one_at_a_time:
            saved = await asyncio.to_thread(corrections.save, files[0].data, truth, version)
        return JSONResponse({"path": saved.path, saved.column: saved.text, "replaced": saved.replaced})

    return [Route("/corrections", correct, methods=["POST"])]


def _read(own: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and rows of a model's table, those that a person has added too. Raises: NotAllowed, StorageError."""
    try:
        with storage_errors(own / TABLE):
            text = (own / TABLE).read_bytes().decode("utf-8-sig")
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return [], []
        raise
    except UnicodeDecodeError:
        text = ""
    columns, rows = csv_table(text)
    if "path" not in columns or not set(_TRUTHS) & set(columns):
        raise NotAllowed(
            f"{own.name}/{TABLE} in the folder of corrections is no table in UTF-8 with the columns path and label, separated by "
            "commas. Its operator must mend it, or move it away; it is left as it is."
        )
    return columns, rows


def _write(own: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    write_bytes(own / TABLE, csv_text(columns, rows, line_end="\n").encode())


def _extension(data: bytes, version: Version) -> str:
    """How the file's name is to end. Raises: Refusal for what is no picture, or no text where the model takes texts."""
    try:
        if version.takes_texts:
            version.prepare(Encoded(data))
            return "txt"
        found = decode(data, target=_LOOKED_AT, max_pixels=version.max_pixels)
    except PictureError as error:
        raise Refusal(f"the {version.answering.item} cannot be used: {error}.") from None
    return _EXTENSIONS.get(found.format, found.format.lower())


def _check_label(label: str, version: Version) -> None:
    if label in version.classes:
        return
    near = difflib.get_close_matches(label[:200], version.classes, n=1)
    more = len(version.classes) - _NAMED
    raise Refusal(
        f"label is {label[:100]!r}, which is none of the classes of {version.name!r}."
        f"{f' Did you mean {near[0]!r}?' if near else ''} They are: {', '.join(version.classes[:_NAMED])}"
        f"{f' and {more:,} more' if more > 0 else ''}."
    )
