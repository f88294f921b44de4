"""Folders of texts: a folder or a file a class, or lines with numbers. In: a folder. Out: Listing. Next: texts_look.py.

FOLDER/CLASS/one.txt                      a text a file; FOLDER/train/CLASS/... where they are split
FOLDER/reviews.pos, FOLDER/reviews.neg    a text a line, the class is the ending
FOLDER/train.txt, FOLDER/class.txt        text<TAB>number, counted from 0 in class.txt
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

from tellapart.bundle import TaskName
from tellapart.data.columns import split_named
from tellapart.data.examples import Entry, Listing, ReadOptions, Split
from tellapart.data.folder import scan
from tellapart.data.other_tasks import OtherTask
from tellapart.data.targets import ClassName
from tellapart.data.texts_files import line_of, read_texts
from tellapart.data.texts_looks import CLASSES, TEXTS, ending_of
from tellapart.errors import DataError

TASK: TaskName = "text"


def list_text_folder(path: Path, options: ReadOptions, seen: OtherTask | None) -> Listing:
    """The texts of a folder or archive, by what lies in it. Raises: DataError, StorageError, SettingsError."""
    loose = [] if not path.is_dir() else sorted(one for one in path.iterdir() if one.is_file() and one.name[0] != ".")
    if any(one.name.lower() == CLASSES for one in loose):
        return _numbered(path, [one for one in loose if one.name.lower().endswith(TEXTS)], options)
    endings = {ending_of(one.name) for one in loose}
    if len(endings) > 1 and not endings & {ending.removeprefix(".") for ending in TEXTS}:
        return _by_endings(path, loose, options)
    return _by_folders(path, options)


def list_numbered(path: Path, options: ReadOptions) -> Listing | None:
    """One file of lines with numbers of classes; None where no class.txt lies beside it."""
    if path.suffix.lower() not in TEXTS or path.name.lower() == CLASSES or not (path.parent / CLASSES).is_file():
        return None
    return _numbered(path, [path.parent / CLASSES, path], options)


def _by_folders(path: Path, options: ReadOptions) -> Listing:
    listing = scan(path, texts=True, encoding=options.encoding)
    named = [entry for entry in listing.entries if entry.path.name.lower().endswith(TEXTS)]
    kept = named or list(listing.entries)  # of old collections no file has an ending
    ignored = dict(listing.ignored)
    if len(kept) < len(listing.entries):
        ignored["file that is no .txt"] = len(listing.entries) - len(kept)
    texts, notes = read_texts((entry.path for entry in kept), options.encoding)
    return replace(
        listing,
        entries=tuple(replace(entry, text=texts.get(entry.path)) for entry in kept),
        classes=tuple(sorted({entry.target.text for entry in kept})),
        task=TASK,
        ignored=ignored,
        notes=(*listing.notes, *notes),
    )


def _by_endings(path: Path, files: list[Path], options: ReadOptions) -> Listing:
    texts, notes = read_texts(files, options.encoding)
    ignored: Counter[str] = Counter()
    entries: list[Entry] = []
    for file in files:
        if file not in texts:
            raise DataError(f"{str(file)!r} cannot be read. Check the disk, and who may read it.")
        target, split = ClassName(ending_of(file.name)), split_named(file.stem)
        for number, line in _lines(texts[file], ignored):
            entries.append(Entry(path=line_of(file, number), target=target, split=split, text=line))
    classes = tuple(sorted({ending_of(file.name) for file in files}))
    read = f"{path}: each line is a text, and the ending of its file the class: {', '.join(classes)}."
    return _listing(path, entries, classes, ignored, (read, *notes))


def _numbered(source: Path, files: list[Path], options: ReadOptions) -> Listing:
    texts, notes = read_texts(files, options.encoding)
    named = next(file for file in files if file.name.lower() == CLASSES)
    classes = [line.strip() for line in texts.get(named, "").splitlines() if line.strip()]
    if len(set(classes)) < len(classes) or not classes:
        raise DataError(f"{str(named)!r} must name each class once, a line each. Mend it.")
    ignored: Counter[str] = Counter()
    entries: list[Entry] = []
    targets = [ClassName(name) for name in classes]
    for file in files:
        if file == named or file not in texts:
            continue
        if "\t" not in texts[file]:
            ignored["file without labels"] += 1
            continue
        split = split_named(file.stem) if source.is_dir() else None
        entries += _labelled(file, texts[file], targets, split, ignored)
    read = f"{source}: each line is a text and the number of its class in {named.name}, counted from 0."
    return _listing(source, entries, tuple(classes), ignored, (read, *notes))


def _labelled(
    file: Path, text: str, targets: list[ClassName], split: Split | None, ignored: Counter[str]
) -> list[Entry]:
    """Raises: DataError for a line without the number of a class."""
    found = []
    for number, line in _lines(text, ignored):
        said, _, label = line.rpartition("\t")
        if not label.strip().isdecimal() or int(label) >= len(targets):
            raise DataError(
                f"line {number} of {str(file)!r} ends with {label[:40]!r}; after a tab it must say the number of one of the "
                f"{len(targets)} classes, counted from 0. Mend the line, or remove it."
            )
        target = targets[int(label)]
        found.append(Entry(path=line_of(file, number), target=target, split=split, text=said.strip()))
    return found


def _lines(text: str, ignored: Counter[str]) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1; only line feeds end them."""
    lines = [(number, line.rstrip("\r")) for number, line in enumerate(text.split("\n"), start=1)]
    kept = [(number, line) for number, line in lines if line.strip()]
    ignored["blank line"] += len(lines) - len(kept) - (not lines[-1][1])
    return kept


def _listing(
    source: Path, entries: list[Entry], classes: tuple[str, ...], ignored: Counter[str], notes: tuple[str, ...]
) -> Listing:
    """Raises: DataError where there is no text."""
    if not entries:
        raise DataError(f"{str(source)!r} holds no text with a class. Write one a line, or give a CSV with text,label.")
    splits = {entry.split for entry in entries}
    if None in splits and len(splits) > 1:  # of some files the name says a split, and of others nothing
        entries = [replace(entry, split=entry.split or "train") for entry in entries]
    left = {reason: count for reason, count in sorted(ignored.items()) if count > 0}
    return Listing(source=source, entries=tuple(entries), classes=classes, task=TASK, ignored=left, notes=notes)
