"""The values that leave the data room. In: nothing. Out: Listing, Inspection, Example. Next: folder.py."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tellapart.bundle import TaskName
from tellapart.data.faults import Drawn, Faults
from tellapart.data.looks import Looks
from tellapart.data.mask_names import ToldValues
from tellapart.data.targets import ONE_CLASS, Target
from tellapart.data.thumbnails import Shelved
from tellapart.deep_values import Depth, Span
from tellapart.errors import PictureError
from tellapart.sources.reading import is_archive, read_bytes

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file that claims to be a labelled picture; nothing has been opened yet."""

    path: Path  # as reached from the folder or table that the user gave
    target: Target
    split: Split | None  # None: the user gave no split
    group: str = ""  # from the `group` column; "" where there is none
    fold: str = ""  # from the column that was told; "" where none was
    added: bool = False  # came from a folder of corrections: for training, never for a test
    train_target: Target | None = None  # what corrections of the same pixels say, for training; None: nothing else
    drawn: Drawn | None = None  # of boxes as they were given: the picture that they were drawn on
    text: str | None = None  # where what is labelled is a text; its path then says where that stands: table.csv:17


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a folder or a table names, before any file is opened."""

    source: Path  # the folder or CSV file that the user gave
    entries: Sequence[Entry]  # sorted by path; a tuple, or packed where they are very many
    classes: tuple[str, ...]  # union over the splits, sorted; of masks in the order of their values' names
    task: TaskName = ONE_CLASS  # found from what is there, or told
    ignored: Mapping[str, int] = field(default_factory=dict)  # reason -> how many files or folders
    notes: tuple[str, ...] = ()  # what was found in the source and why it is read so, in sentences
    root: Path | None = None  # the folder that paths count from, where it is not the source's own
    merged: Mapping[str, str] = field(
        default_factory=dict
    )  # a class name as it was spelt -> the class that it is part of
    faults: Faults = field(default_factory=dict)  # what is wrong with boxes or masks, by kind
    told_values: ToldValues = field(default_factory=ToldValues)  # what is known of the values of masks
    absent: tuple[str, ...] = ()  # classes that were named for masks and never occur
    numbered: bool = False  # the source has numbers of classes, which were named

    @property
    def folder(self) -> Path:
        """The folder that the paths of pictures count from."""
        return self.root or (
            self.source if os.path.isdir(self.source) or is_archive(self.source) else self.source.parent
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOptions:
    """What a user told about a data set, beside where it is; None: found from what is there."""

    task: TaskName | None = None
    task_of_model: bool = False  # nobody told the task: it is that of the model which is tested
    separator: str | None = None  # between the names in one cell: | ; , or a space
    encoding: str | None = None  # of a text table, or of the names in an archive
    path_column: str | None = None  # a column's name, or its number from 1 where none is called so
    text_column: str | None = None  # the same of a table whose cells are the texts themselves
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    fold_column: str | None = None  # of K folds that are given
    root: str | None = None  # the folder that a table's paths count from; None: the table's own
    extension: str | None = None  # of paths that are written without one: .jpg
    label_from: str | None = None  # a regular expression with (?P<label>...) that finds the class in a path
    span: Span | None = None  # of pictures of more than 8 bits, what is black and white; None: found over them
    classes: str | None = (
        None  # of masks: names of values between commas, with the values where told, or a file of names; of shards' numbers
    )
    ignore_label: str | None = None  # of masks: what counts nowhere, values, colours or names between commas, or none
    train_split: str | None = None  # the given split that is to be learned from, where it is called otherwise
    merge_names: bool = False  # class names that differ only in case, blanks or their Unicode form are one class
    limit: int | None = None  # so many entries at most, drawn at random by `seed`; None: all
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What one look at one file tells. A file with a `problem` has no content."""

    file_hash: str  # 64 hex digits, SHA-256 of the bytes; "" if the file cannot be read at all
    problem: str = ""  # why the picture cannot be used; "" means that it can
    is_picture: bool = True  # False: neither its content nor its name says picture (text, Thumbs.db)
    content_hash: str = ""  # 32 hex digits of size and upright RGB pixels, or of the values of a deeper picture
    perceptual_hash: int = 0  # 64-bit pHash
    thumbnail: bytes | Shelved = b""  # uint8 [32, 32] grey, row by row
    width: int = 0  # pixels, upright
    height: int = 0
    format: str = ""  # Pillow's name of the content's type: JPEG, PNG ...
    mode: str = ""  # Pillow's mode as stored: RGB, L, RGBA, P ...
    turned: bool = False  # the file's EXIF turns the stored pixels upright
    wrong_extension: bool = False  # the name says another type than the content
    depth: Depth | None = None  # the values of a picture of more than 8 bits
    looks: Looks | None = None  # how it looks at a glance; None where nobody looked
    profile: str = ""  # the colour profile that was followed, or "broken"; "" for none or one that changes nothing
    bands: str = ""  # which of many bands were taken, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One file of the data set after audit and split; `problem` set means set aside."""

    path: Path
    target: Target
    split: Split | None  # None only where `problem` is set
    group: str  # pictures of one group are never in two splits, unless the user's own splits say so
    content_hash: str
    width: int
    height: int
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFile:
    """One file of which pixels are wanted."""

    path: Path
    file_hash: str  # SHA-256 of the bytes, as the audit saw them; "": not known, so that any bytes are taken
    content_hash: str  # of the pixels; equal contents are computed once

    def read(self) -> bytes:
        """The bytes, as the audit saw them. Raises: PictureError when the file has vanished or changed since."""
        try:
            data = read_bytes(self.path)
        except OSError as error:
            raise PictureError(f"vanished after the audit: {error.strerror}") from None
        if self.file_hash and hashlib.sha256(data).hexdigest() != self.file_hash:
            raise PictureError("changed after the audit; train again")
        return data


def picture_file(entry: Entry, inspection: Inspection) -> PictureFile:
    """The file of an entry, as the audit saw it."""
    return PictureFile(path=entry.path, file_hash=inspection.file_hash, content_hash=inspection.content_hash)


def short_path(path: Path, source: Path) -> str:
    """The path as seen from the data set, so that a sentence stays readable; the lists have the whole paths."""
    for folder in (source, source.parent):
        if path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return str(Path("...", *path.parts[-2:]))


def named_classes(targets: Iterable[Target]) -> set[str]:
    """The classes that at least one of the targets names."""
    return {name for target in targets for name in target.classes}


def known_classes(targets: Iterable[Target]) -> set[str]:
    """Those, and the classes of which a target says that nothing is known."""
    return {name for target in targets for name in target.known}


def classes_left(listing: Listing, entries: Iterable[Entry]) -> tuple[str, ...]:
    """The listing's classes when `entries` take the place of its own: without those that were named and are no more."""
    before = named_classes(entry.target for entry in listing.entries)
    after = named_classes(entry.target for entry in entries)
    return tuple(sorted(set(listing.classes) - before | after))
