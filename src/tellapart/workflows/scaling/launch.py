"""What the processes of one training tell who began it, in a folder that all see. In: OUT. Out: Launch. Next: telling.py.

A process may be lost and begun again, on another machine: what it has told, how it ended and what it gave lie in files, so that
the next one knows.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import tellapart.errors as errors
from tellapart.errors import MachineError, MissingExtra, TellapartError
from tellapart.runs.result import TrainResult
from tellapart.storage import storage_errors, write_bytes, write_json
from tellapart.workflows.scaling.owned import held_folder, sweep_abandoned

TOLD = "told.jsonl"
PREFIX = ".launch-"
_OUTCOME, _RESULT, _TOKEN = "outcome.json", "result.json", "token"
_SAME_PLACE = 3  # begun so often at one place, none will get further


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One training on several machines, from its command to its end."""

    folder: Path  # OUT/.launch-...
    cache: Path  # a folder of the same name in the cache, which all must see too

    @property
    def tokens(self) -> tuple[Path, Path]:
        """Files that every process must see."""
        return self.folder / _TOKEN, self.cache / _TOKEN

    def end(self, error: BaseException) -> None:
        """Keep why it ended: begun again, it would end in the same way. Raises: StorageError."""
        known = next((kind.__name__ for kind in type(error).__mro__ if hasattr(errors, kind.__name__)), "")
        said = str(error) if known else "".join(traceback.format_exception(error))
        write_json(self.folder / _OUTCOME, {"kind": known, "said": said})

    def outcome(self) -> BaseException | None:
        """Why it ended; None where it did not. An error of ours has its class and its text."""
        told = _read(self.folder / _OUTCOME)
        if told is None:
            return None
        kind = getattr(errors, told["kind"], None)
        if kind is None:
            return RuntimeError(f"a process of the training ended with an error that is none of ours:\n{told['said']}")
        # A missing package is told by three words, which its text was made of.
        found: TellapartError = (TellapartError if issubclass(kind, MissingExtra) else kind)(told["said"])
        return found

    def keep(self, result: TrainResult) -> None:
        """Keep what it gave. Raises: StorageError."""
        write_bytes(self.folder / _RESULT, _RESULTS.dump_json(result))

    def result(self) -> TrainResult | None:
        """That; None before the run is whole."""
        path = self.folder / _RESULT
        with storage_errors(path):
            return _RESULTS.validate_json(path.read_bytes()) if path.exists() else None

    def began(self) -> list[dict[str, Any]]:
        """Each process 0 that took part: its `host`, `process` and the `place` it began at."""
        path = self.folder / TOLD
        with storage_errors(path):
            lines = path.read_bytes().splitlines() if path.exists() else []
        found = [json.loads(line) for line in lines if line.endswith(b"}")]
        return [one for one in found if one["event"] == "began"]

    def check_gets_on(self, place: str) -> None:
        """Raises: MachineError where the last processes began at the same place, a checkpoint's name, and were lost."""
        places = [one["place"] for one in self.began()][-_SAME_PLACE:]
        if len(places) == _SAME_PLACE and set(places) == {place}:
            where = f"after {place}" if place else "before its first checkpoint"
            raise MachineError(
                f"{_SAME_PLACE} times processes of the training were lost {where}, most likely because their memory ran out, and a "
                "fourth time would be no different. Give each more memory, or train with a smaller --batch-size."
            )


@contextlib.contextmanager
def launching(out: Path, cache: Path) -> Iterator[Launch]:
    """A new launch of a training whose run is to lie in OUT, gone on the way out. Those whose owners were killed go first.

    Raises: StorageError.
    """
    for name in sweep_abandoned(out, PREFIX):
        shutil.rmtree(cache / name, ignore_errors=True)
    with held_folder(out, PREFIX) as folder:
        with storage_errors(folder):
            folder.chmod(0o755)
        launch = Launch(folder=folder, cache=cache / folder.name)
        try:
            for path in launch.tokens:
                write_bytes(path, b"seen\n")
            yield launch
        finally:
            shutil.rmtree(launch.cache, ignore_errors=True)


def _read(path: Path) -> dict[str, Any] | None:
    with storage_errors(path):
        found: dict[str, Any] | None = json.loads(path.read_bytes()) if path.exists() else None
    return found


_RESULTS = TypeAdapter(TrainResult)
