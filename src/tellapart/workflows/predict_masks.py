"""What is written of masks: PNG files, and pictures under them. In: answers, pictures. Out: whole files. Next: evaluate.py.

Answers pass as they come; what belongs to each is written on every core before it is handed on.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tellapart.answers.answering import Answering
from tellapart.answers.mask_files import Painted, PaintsMasks, mask_png
from tellapart.answers.out_names import UniqueNames, name_of
from tellapart.answers.sources import Source, Stream, called_a_picture, changed, data_of, fetched, paired
from tellapart.drawing.found_boxes import encoded_as, ending_for, whole_picture
from tellapart.drawing.lettering import lacking
from tellapart.drawing.mask_overlay import lay_mask, with_legend
from tellapart.errors import PictureError, SettingsError, StorageError
from tellapart.preprocessing import Preprocessing
from tellapart.reporter import counted
from tellapart.runtime import cores
from tellapart.storage import own_folder, storage_errors, write_bytes
from tellapart.threads import in_order

_MOST_NAMED = 24  # classes that a legend lists


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskOutputs:
    """What is asked for, and where; folders that are not there are made."""

    masks: Path | None = None
    overlays: Path | None = None
    force: bool = False  # replace files that are there


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Asked:
    """One answered picture, and where its files go."""

    answer: Any
    source: Source
    mask: Path | None = None
    overlay: Path | None = None


class MaskWriter:
    """Writes them, and counts."""

    def __init__(
        self,
        outputs: MaskOutputs,
        answering: Answering[Any, Any],
        classes: Sequence[str],
        *,
        roots: Sequence[str],
        inputs: Preprocessing | None,
    ) -> None:
        """Pictures are called by their way below `roots`, as out_names.py says; `inputs` is how the model reads them, if known.

        Raises: SettingsError for a task that makes no masks; StorageError for what is there already.
        """
        if not isinstance(answering, PaintsMasks):
            raise SettingsError(
                "the model makes no masks, so there are none to write or to lay over pictures. Leave out --masks and "
                "--overlays, or give a model that learned masks."
            )
        self._outputs, self._painter, self._inputs = outputs, answering, inputs
        self._classes, self._roots, self._names = tuple(classes), tuple(roots), UniqueNames()
        names = lacking(classes) if outputs.overlays is not None else []
        self.remark = (
            f"no font of this computer has the letters of the class {names[0]!r}, so that legends show codes in their place. "
            "Install one, such as the package fonts-noto-cjk for Chinese."
            if names
            else ""
        )
        self._pictures = 0
        if outputs.masks is not None:
            _make(outputs.masks)  # they may be data to learn from
        if outputs.overlays is not None:
            own_folder(outputs.overlays)

    def stream(self, sources: Iterable[Source], answer: Stream, *, allow_private: bool = False) -> Iterator[Any]:
        """The answers to `sources`, each once its files are written. Raises: StorageError; DataError for a picture that changes."""
        pairs = paired(fetched(sources, allow_private=allow_private), answer)
        saved = in_order((self._named(*pair) for pair in pairs), self._save, workers=cores(), name="masks")
        with contextlib.closing(saved):
            for one in saved:
                self._pictures += not one.answer.error
                yield one.answer

    def summary(self) -> str:
        """What was written and where, in words."""
        outputs = self._outputs
        found = [f"in {outputs.masks}"] if outputs.masks is not None else []
        found += [f"over their pictures in {outputs.overlays}"] if outputs.overlays is not None else []
        return f"masks of {counted(self._pictures, 'picture')}: {'; '.join(found)}"

    def _named(self, answer: Any, source: Source) -> _Asked:
        """Give a picture's files their names. Raises: StorageError for one that is there already."""
        if answer.error:
            return _Asked(answer=answer, source=source)
        outputs = self._outputs
        name = self._names.take(called_a_picture(name_of(source.path, self._roots), source))
        stem = os.path.splitext(name)[0]
        return _Asked(
            answer=answer,
            source=source,
            mask=None if outputs.masks is None else self._free(outputs.masks / f"{stem}.png"),
            overlay=None if outputs.overlays is None else self._free(outputs.overlays / f"{stem}{ending_for(name)}"),
        )

    def _free(self, path: Path) -> Path:
        if path.exists() and not self._outputs.force:
            raise StorageError(
                f"{str(path)!r} is there already, and nothing is overwritten unasked. Choose another folder, or replace it with "
                "--force."
            )
        return path

    def _save(self, one: _Asked) -> _Asked:
        """Write a picture's files; several threads do. Raises: StorageError, DataError."""
        if one.mask is None and one.overlay is None:
            return one
        painted = self._painter.painted(one.answer)
        if one.mask is not None:
            _write(one.mask, mask_png(painted.mask, painted.colours))
        if one.overlay is not None:
            _write(one.overlay, self._overlay(one.source, painted, one.overlay.suffix))
        return one

    def _overlay(self, source: Source, painted: Painted, ending: str) -> bytes:
        try:
            picture = whole_picture(data_of(source), self._inputs)
        except PictureError as error:
            raise changed(source, str(error)) from None
        height, width = painted.mask.shape
        if picture.size != (width, height):
            raise changed(source, f"it has {picture.width} x {picture.height} pixels now")
        laid = lay_mask(np.asarray(picture), painted.mask, painted.colours, background=painted.background)
        there = [number for number in np.unique(painted.mask).tolist() if number != painted.background]
        entries = [(self._classes[number], painted.colours[number]) for number in there[:_MOST_NAMED]]
        return encoded_as(with_legend(Image.fromarray(laid), entries), ending)


def _write(path: Path, data: bytes) -> None:
    _make(path.parent)
    write_bytes(path, data)


def _make(folder: Path) -> None:
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
