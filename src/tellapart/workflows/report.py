"""report.html of a run. In: a run's folder. Out: one file that needs no network. Next: runs/open.py.

Everything is read back from the folder, so that a report made later is the one that training made, but for pictures
that are gone. What it says, the run's task says.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import StorageError
from tellapart.features.cache import Cache
from tellapart.reporter import Reporter
from tellapart.reporting.blocks import Report
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Language, Phrases
from tellapart.runs.open import open_finished
from tellapart.storage import write_bytes
from tellapart.tasks.table import task_of

NAME = "report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """Where a report is and what it could not show."""

    path: Path
    size_bytes: int
    missing: int  # pictures that are gone


def write_report(
    folder: Path, *, language: Language, cache: Cache, reporter: Reporter, out: Path | None = None
) -> WrittenReport:
    """Write a run's report, in place of an earlier one in its folder, or to `out`, which must not be there yet.

    Raises: SettingsError, DataError, ModelFileError, StorageError.
    """
    run, phrases = open_finished(folder), Phrases(language)
    target = out or folder / NAME
    if out is not None and out.exists():
        raise StorageError(
            f"{out} is there already, and nothing is overwritten unasked. Choose another --out or move it."
        )
    manifest = run.manifest
    verdict, sections = task_of(manifest.task).sections(run, phrases, cache=cache, reporter=reporter)
    made = manifest.created.replace("T", " ")[:16]
    report = Report(name=manifest.data.name, made=made, verdict=verdict, sections=sections)
    data = render(report, phrases).encode("utf-8", "backslashreplace")
    write_bytes(target, data)
    return WrittenReport(path=target, size_bytes=len(data), missing=run.missing)
