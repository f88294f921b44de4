"""What is written of found boxes: annotations, drawn pictures, crops. In: answers, pictures. Out: whole files. Next: evaluate.py.

Answers pass as they come; what belongs to each is written on every core before it is handed on. So whoever stops a prediction has
whole files, and annotations that name just the pictures that were answered.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.answers.answering import Answering
from tellapart.answers.box_forms import FORMS, FindsBoxes, Page
from tellapart.answers.form_folder import FormFolder
from tellapart.answers.out_names import UniqueNames, name_of, safe_part
from tellapart.answers.sources import Source, Stream, called_a_picture, changed, data_of, fetched, paired, way_below
from tellapart.drawing.found_boxes import cut_out, ending_for, whole_picture, with_boxes
from tellapart.drawing.lettering import lacking
from tellapart.errors import PictureError, SettingsError, StorageError
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import counted
from tellapart.runtime import cores
from tellapart.storage import own_folder, storage_errors, write_bytes
from tellapart.threads import in_order


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxOutputs:
    """What is asked for, and where; folders that are not there are made."""

    annotations: Path | None = None
    form: str = "voc"  # of the annotations, one of FORMS
    drawn: Path | None = None
    crops: Path | None = None
    force: bool = False  # replace files that are there


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Asked:
    """One answered picture, and where its files go."""

    answer: Any
    source: Source
    page: Page | None = None  # None: it could not be read
    copy: Path | None = None  # of the picture itself
    drawn: Path | None = None
    crops: tuple[Path, ...] = ()  # one for each box


def _remark(classes: Sequence[str]) -> str:
    """A sentence where names cannot be written; "" where all can."""
    names = lacking(classes)
    if not names:
        return ""
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    return (
        f"no font of this computer has the letters of the class {names[0]!r}{more}, so that drawn pictures show codes in their "
        "place. Install one, such as the package fonts-noto-cjk for Chinese."
    )


class BoxWriter:
    """Writes them, and counts."""

    def __init__(
        self,
        outputs: BoxOutputs,
        answering: Answering[Any, Any],
        classes: Sequence[str],
        *,
        roots: Sequence[str],
        inputs: Preprocessing | None,
    ) -> None:
        """Pictures are called by their way below `roots`, as out_names.py says; `inputs` is how the model reads them, if known.

        Raises: SettingsError for a task that finds no boxes; StorageError for what is there already.
        """
        if not isinstance(answering, FindsBoxes):
            raise SettingsError(
                "the model finds no boxes, so there are none to write, draw or cut out. Leave out --draw, --crops and --format "
                f"{', '.join(FORMS)}, or give a model that learned boxes."
            )
        self._outputs, self._finder, self._inputs = outputs, answering, inputs
        self._numbers = {name: number for number, name in enumerate(classes)}
        self._roots, self._names, folders = tuple(roots), UniqueNames(), UniqueNames()
        self._folder_of = {name: folders.take(safe_part(name)) for name in classes}
        self.remark = _remark(classes) if outputs.drawn is not None else ""  # what to know of what is drawn
        self._forms: FormFolder | None = None
        if outputs.annotations is not None:
            self._forms = FormFolder(outputs.annotations, outputs.form, classes, force=outputs.force)
        self._pictures = self._boxes = self._copied = 0
        for folder in (outputs.annotations, outputs.crops):
            if folder is not None:
                _make(folder)
        if outputs.drawn is not None:
            own_folder(outputs.drawn)  # the others may be data to learn from

    def stream(self, sources: Iterable[Source], answer: Stream, *, allow_private: bool = False) -> Iterator[Any]:
        """The answers to `sources`, each once its files are written. Raises: StorageError; DataError for a picture that changes."""
        pairs = paired(fetched(sources, allow_private=allow_private), answer)
        saved = in_order((self._named(*pair) for pair in pairs), self._save, workers=cores(), name="boxes")
        try:
            with contextlib.closing(saved):
                for one in saved:
                    if one.page is not None:
                        self._count(one, one.page)
                    yield one.answer
        finally:
            # Also of a prediction that was stopped: what all pictures have together names those that are there.
            if self._forms is not None and self._forms.pages:
                self._forms.finish()

    def summary(self) -> str:
        """What was written and where, in words."""
        outputs, found = self._outputs, []
        if outputs.annotations is not None:
            copies = f", with {counted(self._copied, 'picture')} copied beside them" if self._copied else ""
            found.append(f"in {FORMS[outputs.form].title} in {outputs.annotations}{copies}")
        found += [f"drawn in {outputs.drawn}"] if outputs.drawn is not None else []
        found += [f"cut out in {outputs.crops}"] if outputs.crops is not None else []
        boxes = f"{self._boxes:,} box{'' if self._boxes == 1 else 'es'}"
        return f"{boxes} in {counted(self._pictures, 'picture')}: {'; '.join(found)}"

    def _count(self, one: _Asked, page: Page) -> None:
        self._pictures += 1
        self._boxes += len(page.boxes)
        self._copied += one.copy is not None
        if self._forms is not None:
            self._forms.add(page)

    def _named(self, answer: Any, source: Source) -> _Asked:
        """Give a picture's files their names. Raises: StorageError for one that is there already."""
        if answer.error:
            return _Asked(answer=answer, source=source)
        outputs, copy = self._outputs, None
        inside = None if outputs.annotations is None else way_below(source, outputs.annotations)
        name = self._names.take(called_a_picture(name_of(source.path, self._roots), source))
        page = self._finder.page(answer, path=inside or f"images/{name}")
        if self._forms is not None:
            self._forms.reserve(page.path)
            copy = None if inside else self._free(self._forms.folder / page.path)
        stem, ending = os.path.splitext(name)[0], ending_for(name)
        drawn = None if outputs.drawn is None else self._free(outputs.drawn / f"{stem}{ending}")
        crops = () if outputs.crops is None else tuple(self._crops(outputs.crops, page, stem, ending))
        return _Asked(answer=answer, source=source, page=page, copy=copy, drawn=drawn, crops=crops)

    def _crops(self, folder: Path, page: Page, stem: str, ending: str) -> Iterator[Path]:
        """In a folder for each class, so that they are pictures to train a classifier on."""
        for number, box in enumerate(page.boxes, start=1):
            yield self._free(folder / self._folder_of[box.label] / f"{stem}-{number}{ending}")

    def _free(self, path: Path) -> Path:
        if path.exists() and not self._outputs.force:
            raise StorageError(
                f"{str(path)!r} is there already, and nothing is overwritten unasked. Choose another folder, or replace it with "
                "--force."
            )
        return path

    def _save(self, one: _Asked) -> _Asked:
        """Write a picture's files; several threads do. Raises: StorageError, DataError."""
        if one.page is None:
            return one
        if self._forms is not None:
            self._forms.write(one.page)
        if one.copy is not None or one.drawn is not None or one.crops:
            data = data_of(one.source)
            if one.copy is not None:
                _write(one.copy, data)
            if one.drawn is not None or one.crops:
                self._draw(one, one.page, data)
        return one

    def _draw(self, one: _Asked, page: Page, data: bytes) -> None:
        try:
            picture = whole_picture(data, self._inputs)
        except PictureError as error:
            raise changed(one.source, str(error)) from None
        if picture.size != (page.width, page.height):
            raise changed(one.source, f"it has {picture.width} x {picture.height} pixels now")
        if one.drawn is not None:
            _write(one.drawn, with_boxes(picture, page, self._numbers, one.drawn.suffix))
        if one.crops:
            for path, part in zip(one.crops, cut_out(picture, page, one.crops[0].suffix), strict=True):
                _write(path, part)


def _write(path: Path, data: bytes) -> None:
    _make(path.parent)
    write_bytes(path, data)


def _make(folder: Path) -> None:
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
