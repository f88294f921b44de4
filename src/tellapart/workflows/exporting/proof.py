"""What goes along with each format: the bundle that proves it, and the page. In: Job, Format. Out: files. Next: bundle.py.

The bundle is made once an export; each format's folder has it as links to the same files.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.bundle import open_model
from tellapart.errors import ExportError
from tellapart.export.specification import provable
from tellapart.export.table import Format
from tellapart.runs.open import OpenRun
from tellapart.storage import storage_errors
from tellapart.workflows.exporting.browser import PROOF, write_page
from tellapart.workflows.exporting.bundle import write_bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The bundle of one export; there is none of models that take no pictures."""

    run: OpenRun
    languages: Sequence[str]
    made_pictures: bool  # none of the user's pictures is in it
    web_runtime: Path | None  # ONNX Runtime for browsers; None where no format is a page

    def add(self, form: Format, folder: Path, work: Path) -> None:
        """Put into a format's folder what belongs to it; `work` keeps the bundle for the next one.

        Raises: ExportError for a page of a model that takes no pictures; StorageError.
        """
        if not provable(self.run.manifest):
            if form.page:
                raise ExportError(
                    "the page shows pictures, and the model takes none, or resizes them in a way that the page does not. Choose "
                    "another format."
                )
            return
        bundle = work / PROOF
        if not bundle.is_dir():
            write_bundle(self.run.file, self._pictures(), bundle, self.languages)
        copy_linked(bundle, folder / PROOF)
        if form.page and self.web_runtime is not None:
            write_page(folder, open_model(self.run.file), self.web_runtime)

    def _pictures(self) -> list[Path]:
        if self.made_pictures:
            return []
        return [one.path for one in self.run.examples if one.split == "test" and not one.problem]


def copy_linked(folder: Path, target: Path) -> None:
    """A folder once more, as links to the same files where the disk has such. Raises: StorageError."""
    with storage_errors(target):
        shutil.copytree(folder, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)
