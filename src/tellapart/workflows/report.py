"""report.html of a run. In: a run's folder. Out: one file that needs no network. Next: runs/open.py.

Everything is read back from the folder, so that a report made later is the one that training made, but for pictures
that are gone. What it says, the run's task says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from tellapart.data.readers import READERS
from tellapart.errors import StorageError
from tellapart.features.cache import Cache
from tellapart.reporter import Reporter
from tellapart.reporting.blocks import Report, Section
from tellapart.reporting.page import render
from tellapart.reporting.phrases import Language, Phrases
from tellapart.reporting.search_section import search_section
from tellapart.reporting.sections import folds_section
from tellapart.runs.compressed import compressed_section
from tellapart.runs.exported import exports_section
from tellapart.runs.finished import open_finished
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import folds_part
from tellapart.runs.picked_backbone import backbone_section, read_picked
from tellapart.runs.searched import search_part
from tellapart.sources.reading import exists
from tellapart.storage import storage_errors, write_bytes
from tellapart.tasks.table import task_of
from tellapart.threads import let_waiting_threads_sleep

NAME = "report.html"
_MARK = b"<!-- tellapart: %d pictures could not be shown -->\n"  # after the page; the next report reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReport:
    """Where a report is and what it could not show."""

    path: Path
    size_bytes: int
    missing: int  # pictures that are gone


def write_report(
    folder: Path,
    *,
    language: Language,
    cache: Cache,
    reporter: Reporter,
    out: Path | None = None,
    pictures: Path | None = None,
) -> WrittenReport:
    """Write a run's report, in place of an earlier one in its folder, or to `out`, which must not be there yet.

    `pictures` is where the run's pictures lie now, if they were moved. A page is not replaced by one that shows fewer of them.
    Raises: SettingsError, DataError, ModelFileError, StorageError.
    """
    let_waiting_threads_sleep()
    run = open_finished(folder, pictures=pictures)
    phrases = Phrases(language, item=READERS[run.manifest.task].words.item)
    target = out or folder / NAME
    if out is not None and out.exists():
        raise StorageError(
            f"{out} is there already, and nothing is overwritten unasked. Choose another --out or move it."
        )
    missing = run.missing
    if out is None and missing > _missing_in(target):
        raise StorageError(
            f"{missing:,} of the run's {len(run.examples):,} pictures are no longer where they were, such as {_gone(run)}, and "
            f"{target} shows more of them. Say where they are with --pictures FOLDER, or choose another --out."
        )
    manifest = run.manifest
    # The report's own threads keep every core busy; BLAS' threads would spin beside them.
    with threadpool_limits(limits=1, user_api="blas"):
        verdict, sections = task_of(manifest.task).sections(run, phrases, cache=cache, reporter=reporter)
        sections = _with_search(run, sections, phrases)
    compressed = compressed_section(run.metrics, phrases)
    if compressed is not None:
        sections = [*sections[:1], compressed, *sections[1:]]
    folds = folds_part(run)
    if folds is not None:
        verdict = replace(verdict, note=phrases.sentences(verdict.note, phrases("folds_note")))
        sections = [*sections[:1], folds_section(folds, phrases), *sections[1:]]
    lead = "exports_lead" if run.manifest.pictures is not None else "exports_lead_texts"
    exports = exports_section(run.folder, phrases, lead=lead)
    if exports is not None:
        sections = [*sections, exports]
    made = manifest.created.replace("T", " ")[:16]
    report = Report(name=manifest.data.name, made=made, verdict=verdict, sections=sections)
    data = render(report, phrases).encode("utf-8", "backslashreplace") + _MARK % missing
    write_bytes(target, data)
    return WrittenReport(path=target, size_bytes=len(data), missing=missing)


def _with_search(run: OpenRun, sections: Sequence[Section], phrases: Phrases) -> list[Section]:
    """With how the settings and the backbone were found after how it was trained, where they were searched."""
    part, picked = search_part(run), read_picked(run.folder)
    told = [] if part is None else [search_section(part, phrases)]
    told += [] if picked is None else [backbone_section(picked, phrases)]
    place = next((number + 1 for number, one in enumerate(sections) if one.key == "learning"), len(sections))
    return [*sections[:place], *told, *sections[place:]]


def _missing_in(page: Path) -> float:
    """How many pictures an earlier page could not show; none where it does not say, any number where there is no page."""
    if not page.is_file():
        return float("inf")
    with storage_errors(page):
        found = re.search(_MARK.replace(b"%d", rb"(\d+)"), page.read_bytes()[-100:])
    return int(found[1]) if found else 0


def _gone(run: OpenRun) -> Path:
    return next(one.path for one in run.examples if not one.problem and not exists(one.path))
