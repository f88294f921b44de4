"""Files in object stores, in parts, through fsspec. In: s3://, gs:// and az:// addresses. Out: bytes, stamps. Next: blocks.py.

Keys, accounts and endpoints are found as the libraries find them: their own files, variables and roles, and fsspec's settings
(FSSPEC_S3_ENDPOINT_URL). Nothing of them passes through here.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Mapping
from typing import Any

import fsspec

from tellapart.errors import StorageError, one_line
from tellapart.sources.remote.addresses import without_secrets
from tellapart.sources.remote.stores import MayPass, Stamped

MOST_NAMES = 1_000_000
_STAMPS = ("ETag", "etag", "md5Hash", "generation", "LastModified", "last_modified", "updated", "mtime", "created")
# Names of errors of the libraries: what no other try will change. They are not imported, since there are many of them.
_FOR_GOOD = (
    "NoCredentials",
    "Credential",
    "Authentication",
    "Unauthorized",
    "Forbidden",
    "AccessDenied",
    "InvalidBucketName",
    "ParamValidation",
)
# What is missing is told by us, once; they tell each try with its traceback.
_LOGGERS = ("adlfs", "azure", "botocore", "fsspec", "gcsfs", "google", "s3fs")
_KEYS: Mapping[str, str] = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS to a file with a key",
    "az": "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}


class ObjectStore:
    """As `Store` says."""

    def __init__(self, scheme: str, files: Any = None) -> None:
        """`files`: the file system that fsspec would give for the scheme.

        Raises: ImportError without its package; StorageError where the library finds no account or key.
        """
        self._scheme = scheme
        self._files: Any = _open(scheme) if files is None else files

    def look(self, address: str) -> Stamped:
        """As promised; never from what was listed before."""
        self._files.invalidate_cache()
        found = self._tried(lambda: self._files.info(_path(address)))
        if found.get("type") == "directory":
            raise IsADirectoryError(errno.EISDIR, "a folder, and no file")
        return Stamped(int(found["size"]), _stamp(found))

    def part(self, address: str, start: int, end: int) -> tuple[bytes, str]:
        """As promised; the stamp is not told with the bytes."""
        data = bytes(self._tried(lambda: self._files.cat_file(_path(address), start=start, end=end)))
        if len(data) != end - start:
            raise MayPass("the store gave less than was asked for")
        return data, ""

    def names(self, address: str) -> list[str]:
        """As promised. Raises: OSError for more than the limit."""
        self._files.invalidate_cache()
        found = self._tried(lambda: self._files.find(_path(address)))
        if len(found) > MOST_NAMES:
            raise OSError(errno.E2BIG, f"it holds more than {MOST_NAMES:,} files, the limit")
        return sorted(f"{self._scheme}://{name}" for name in found)

    def _tried(self, action: Any) -> Any:
        """Raises: as `Store` says."""
        try:
            return action()
        except FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, "no such file") from None
        except PermissionError as error:
            raise PermissionError(errno.EACCES, f"the store refuses it: {_said(error)}") from None
        except (IsADirectoryError, NotADirectoryError, MemoryError):
            raise
        except Exception as error:  # each library has its own tree of errors, and wraps those below it
            if any(name in type(one).__name__ for one in _causes(error) for name in _FOR_GOOD):
                raise PermissionError(errno.EACCES, f"the store refuses it: {_said(error)}") from None
            raise MayPass(_said(error)) from None


def _open(scheme: str) -> Any:
    for name in _LOGGERS:
        if (logger := logging.getLogger(name)).level == logging.NOTSET:  # whoever has set it wants to read it
            logger.setLevel(logging.CRITICAL)
    if "STORAGE_EMULATOR_HOST" in os.environ:
        # gcsfs asks for a bucket's kind over gRPC and TLS, which no emulator speaks, and waits a minute for each.
        os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    try:
        return fsspec.filesystem(scheme)
    except ImportError:
        raise
    except Exception as error:  # as in `_tried`
        raise StorageError(
            f"{scheme}:// cannot be used: {_said(error)}. Set {_KEYS.get(scheme, 'what its library asks for')}."
        ) from None


def _path(address: str) -> str:
    """bucket/key, as fsspec has it."""
    return address.partition("://")[2]


def _stamp(found: dict[str, Any]) -> str:
    return next((str(found[name]) for name in _STAMPS if found.get(name)), "")


def _causes(error: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _said(error: BaseException) -> str:
    return without_secrets(one_line(error))
