"""Files are written whole or not at all. In: bytes and paths. Out: files, the cache folder. Next: preprocessing.py."""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tellapart.errors import SettingsError, StorageError

TOOLS = "tools"  # of the cache: environments of converters, which are made again where they are missing
OWN_MARK = ".tellapart"  # a file in each folder that we fill
_OWN_WORDS = (
    "tellapart wrote this folder, and passes it over where a folder above it is read as data.\n"
    "Remove this file if its pictures are data.\n"
)
_RUN_FILES = ("recipe.toml", "log.jsonl")

_EXPLAINED = {
    errno.ENOSPC: "the disk is full. Free some space, or choose another folder",
    errno.EDQUOT: "your disk quota is used up. Free some space, or choose another folder",
    errno.EACCES: "permission is denied. Choose a folder that you may write to, or change its permissions",
    errno.EPERM: "permission is denied. Choose a folder that you may write to, or change its permissions",
    errno.EROFS: "the file system is read-only. Choose another folder",
    errno.ENOTDIR: "a part of the path is a file, not a folder. Choose another path",
    errno.ENOENT: "it is not there, or no longer. Check the path, or run the command again",
    errno.EEXIST: "a file of that name is in the way. Choose another path",
    errno.EISDIR: "it is a folder, not a file. Choose another path",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
    errno.EFBIG: "the file would be larger than this system or its limits allow. Choose another folder",
}


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raises: StorageError, which says what to do, where the system refuses to read or write `path`."""
    try:
        yield
    except OSError as error:
        reason = _EXPLAINED.get(error.errno or 0, f"the system says: {error.strerror or error}")
        raise StorageError(f"cannot use {error.filename or path}: {reason}.") from error


def check_room(folder: Path, size: int) -> None:
    """Raises: StorageError where so many bytes do not fit into `folder`, which a library may have called a fault of a file."""
    with storage_errors(folder), tempfile.TemporaryFile(dir=folder) as file:
        file.write(bytes(size))


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when it is whole, and vanishes when anything goes wrong before.

    Raises: StorageError when the disk is full or the folder refuses.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~current_umask())
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise


def sweep_parts(folder: Path) -> None:
    """Remove what a process that was killed while it wrote left half-written in a folder, and in those below it.

    Only for who knows that no other process writes there.
    """
    for path in folder.rglob(".*.part"):
        with contextlib.suppress(OSError):
            path.unlink()


def check_free(path: Path, *, force: bool = False) -> None:
    """Raises: StorageError where a file to write is there already, unless that is wanted, or its folder is not there."""
    if path.exists() and not force:
        raise StorageError(
            f"{path} is there already, and nothing is overwritten unasked. Choose another --out, or replace it with --force."
        )
    if not path.parent.is_dir():
        raise StorageError(f"there is no folder {path.parent} for {path.name}. Make it, or choose another --out.")


def check_replaceable(folder: Path, *, ours: str) -> None:
    """Raises: StorageError where `folder` is there, holds something, and not the file `ours` which what we wrote there has.

    To replace a folder is to remove all that lies in it, which --force on the wrong name must not do.
    """
    with storage_errors(folder):
        if folder.is_dir() and not (folder / ours).is_file() and any(folder.iterdir()):
            raise StorageError(
                f"{folder} holds other things than what this command writes, and to replace it would remove them. Choose another "
                "--out, or empty it first."
            )


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; an earlier file is replaced only once the new one is on disk.

    Raises: StorageError when the disk is full or the folder refuses.
    """
    with replacing(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write JSON that a person can read. Raises: ValueError for NaN, since JSON has none; StorageError."""
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def own_folder(folder: Path) -> None:
    """Make a folder of ours, with a mark by which reading a folder above it as data passes it over.

    A folder that holds something already stays unmarked: it may be the user's data. Raises: StorageError.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / OWN_MARK).write_text(_OWN_WORDS)


def is_own(folder: str | os.PathLike[str]) -> bool:
    """Whether tellapart wrote the folder: it has the mark, or is a run from before there was one."""
    names = (OWN_MARK,), _RUN_FILES
    return any(all(os.path.isfile(os.path.join(folder, name)) for name in several) for several in names)


# Cache folders that cannot be used -> what this process uses instead of them, to its end.
_STAND_INS: dict[Path, Path] = {}


def cache_folder() -> Path:
    """The folder of everything that can be computed again: the chosen one, or what stands in for it."""
    chosen = chosen_cache_folder()
    return _STAND_INS.get(chosen, chosen)


def open_unnamed(prefix: str) -> int:
    """The descriptor of a new file in the cache's folder that is gone with the process, however that ends.

    Raises: StorageError where there is no place for one.
    """
    folder = cache_folder()
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=prefix)
        with contextlib.suppress(OSError):  # Windows keeps the names of open files
            os.unlink(name)
    return descriptor


def stand_in_for_cache() -> Path:
    """A temporary folder that `cache_folder` gives from now on; it is removed when this process ends.

    Raises: StorageError where the system has no place for temporary files either.
    """
    chosen = chosen_cache_folder()
    if chosen not in _STAND_INS:
        with storage_errors(chosen):
            folder = Path(tempfile.mkdtemp(prefix="tellapart-cache-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _STAND_INS[chosen] = folder
    return _STAND_INS[chosen]


def chosen_cache_folder() -> Path:
    """`TELLAPART_CACHE`, or the system's place for caches, whether it can be used or not."""
    chosen = os.environ.get("TELLAPART_CACHE")
    if chosen:
        return Path(os.path.expanduser(chosen))  # which, unlike Path's, leaves ~ where there is no home
    import platformdirs

    return Path(platformdirs.user_cache_dir("tellapart", appauthor=False))


def cache_limit_bytes() -> int:
    """The size that the cache is kept under: `TELLAPART_CACHE_GB` (default 10), in bytes. Raises: SettingsError."""
    text = os.environ.get("TELLAPART_CACHE_GB", "10")
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = -1.0
    if not 0 < gigabytes < 1e6:
        raise SettingsError(f"TELLAPART_CACHE_GB is {text!r}; it must be a number above 0. Set it to 10, for example.")
    return int(gigabytes * 1e9)


def current_umask() -> int:
    """The permission bits that new files do not get."""
    # The system only tells the mask by setting it; mkstemp's 0600 would hide results from the user's group.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
