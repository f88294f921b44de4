"""List a folder of labelled pictures without opening any. In: Path. Out: Listing. Next: cells.py.

FOLDER/CLASS/**/picture.jpg             not yet split
FOLDER/{train,val,test}/CLASS/**/...    already split; any of the three may be missing
FOLDER may also be an archive that holds such a folder, or shards of pictures with their classes; and others may lie around either.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tellapart.data.archive_tree import ArchiveTree
from tellapart.data.examples import SPLITS, Entry, Listing, Split
from tellapart.data.layouts import SplitFolder, check_classes, find_splits, go_down, split_of
from tellapart.data.names import stored_twice
from tellapart.data.other_tasks import Look, recognise, refuse
from tellapart.data.shards import find_shards, list_shards
from tellapart.data.targets import ClassName
from tellapart.data.tree import OWN, Child, DiskTree, Folder, Tree, files_below, has_picture_name, no_permission
from tellapart.errors import DataError
from tellapart.reporter import counted
from tellapart.sources.reading import ENDINGS, NOT_READ, is_archive, open_archive, split_path
from tellapart.storage import OWN_MARK, is_own

UNLABELLED = "picture in a split folder, in no class folder"  # a reason that Listing.ignored counts
_ADDRESS = re.compile(r"(https?:)/+", re.IGNORECASE)  # a path has one of the two strokes
_TABLES = (".csv", ".tsv")
_NAMED = 5  # of what is left out, the rest counted
_OTHER_KINDS: Mapping[str, str] = {
    ".txt": "texts with classes (--task text) are read from one folder of them a class, or from a table with text,label; labels of "
    "boxes (--task detection) stand beside their pictures",
    ".xml": "boxes in XML (--task detection) stand beside their pictures, or in annotations/ beside images/",
    ".json": "boxes or masks in JSON (--task detection or segmentation) stand beside their pictures",
}
_UNLESS = ", or, with --test-from validation, out of the validation pictures"
_ARRANGE = "Arrange the pictures as FOLDER/CLASS/picture.jpg, one folder for each class"


class _Labelled(NamedTuple):
    path: str
    label: str
    split: Split | None


class _Scan:
    """One look over a tree."""

    def __init__(self, tree: Tree, ignored: Counter[str]) -> None:
        self.tree, self.ignored = tree, ignored
        self.notes: list[str] = []
        self.written: set[str] = set()  # names of class folders
        self.inner: defaultdict[str, set[str]] = defaultdict(set)  # class -> its folders, "" for files in none

    def of_split(self, root: Folder, found: SplitFolder) -> Iterator[_Labelled]:
        here = self.tree.enter(root, found.child.path, self.ignored)
        if here is None:
            return
        here = self.down(here, in_split=True)
        loose = 0
        for inner in self.tree.children(here.path, self.ignored):
            if inner.is_folder:
                yield from self.of_class(here, inner, found.split)
            elif has_picture_name(inner.name):
                loose += 1
            else:
                self.ignored["loose file outside a class folder"] += 1
        self.ignored[UNLABELLED] += loose
        if loose:
            self.notes.append(
                f"{here.path}: {loose:,} pictures in no class folder, so their classes are not known; they are left out. "
                "`tellapart predict` can name them."
            )

    def of_class(self, parent: Folder, child: Child, split: Split | None) -> Iterator[_Labelled]:
        label = unicodedata.normalize("NFC", child.name)
        self.written.add(child.name)
        before = self.ignored["link loop"] + self.ignored[OWN]
        count = 0
        for path in files_below(self.tree, parent, child, self.ignored):
            count += 1
            first, _, more = path[len(child.path) + 1 :].partition(os.sep)
            self.inner[label].add(first if more else "")
            yield _Labelled(path, label, split)
        if count == 0 and self.ignored["link loop"] + self.ignored[OWN] == before:
            self.ignored["class folder without files"] += 1

    def down(self, here: Folder, *, in_split: bool = False) -> Folder:
        """The folder that holds the class folders, and a word where it is a lower one."""
        lower = go_down(self.tree, here, in_split=in_split)
        if lower is not here:
            between = os.path.relpath(lower.path, here.path)
            self.notes.append(
                f"{here.path}: only {between!r} in it holds pictures, so the folders in that are the classes."
            )
        return lower


def scan(
    source: Path, *, told: bool = False, texts: bool = False, encoding: str | None = None, names: str | None = None
) -> Listing:
    """List the labelled files of a folder or archive, sorted by path; labels are folder names in Unicode normal form C.

    A folder is taken as split when every direct child that holds pictures is called like a split (`layouts.split_of`) and
    they hold class folders; so a class called `test` beside a class `cat` stays a class. Links are followed, but a
    directory is never entered below itself, nor twice within one class. `Listing.ignored` counts what is left out.
    `told`: the user says that folders are classes; what they look like is then a note alone. `texts`: its files are, so there is
    nothing else to tell. `encoding`: of names in an archive.
    `names`: of the numbers that shards have for classes.
    Raises: DataError without such a folder, class folders or files, or where it looks like another task's; StorageError.
    """
    ignored: Counter[str] = Counter()
    tree, root, notes = open_tree(source, encoding, ignored)
    shards = find_shards(tree, root, source)
    if shards:
        return list_shards(source, shards, ignored, notes, names=names)
    look = None if texts else recognise(tree, root)
    if look is not None and not told:
        raise refuse(tree, root, look)
    walk = _Scan(tree, ignored)
    walk.notes += notes if look is None else (*notes, _told_look(source, look))
    splits, files, here = _files(walk, source, root)
    if not files:
        raise DataError(f"{str(source)!r} has class folders but no files in them{_left_out(ignored)}. {_ARRANGE}.")
    note = "" if told or texts else check_classes(here, walk.inner)
    if twice := stored_twice(walk.written):
        walk.notes.append(f"{here.path}: {twice}.")
    # In the order of Path, part by part, in which "a/x" comes before "a-b/x".
    files.sort(key=lambda file: file.path.replace(os.sep, "\0"))
    return Listing(
        source=source,
        entries=tuple(Entry(path=Path(file.path), target=ClassName(file.label), split=file.split) for file in files),
        classes=tuple(sorted({file.label for file in files})),
        ignored={reason: count for reason, count in sorted(ignored.items()) if count},
        notes=(*walk.notes, *_about_splits(source, splits, {file.split for file in files}), *((note,) if note else ())),
    )


def _told_look(source: Path, look: Look) -> str:
    """What folders look like that the user calls classes."""
    return (
        f"{source}: looks like a data set for {look.task}: {look.form}, such as {look.example!r}. Its folders are read as classes, "
        f"since --task=classification says so; if they are none, leave it out."
    )


def _files(walk: _Scan, source: Path, root: Folder) -> tuple[list[SplitFolder], list[_Labelled], Folder]:
    """The split folders, the files of all classes, and the folder in which either lie."""
    here, ignored = walk.down(root), walk.ignored
    children = walk.tree.children(here.path, ignored)
    folders = [child for child in children if child.is_folder]
    if not folders:
        raise _no_class_folders(source, children, ignored)
    ignored["loose file outside a class folder"] += len(children) - len(folders)
    tables = [child.path for child in children if not child.is_folder and child.name.lower().endswith(_TABLES)]
    if tables:
        walk.notes.append(f"{here.path}: the table beside the folders is not read; to read it, give {tables[0]}.")
    splits = find_splits(walk.tree, here, folders)
    if not splits:
        return [], [file for child in folders for file in walk.of_class(here, child, None)], here
    chosen = {found.child for found in splits}
    others = [child for child in folders if child not in chosen]
    empty = [child for child in others if split_of(child.name)]
    ignored["split folder without pictures"] += len(empty)
    beside = [child.name for child in others if child not in empty]
    ignored["folder beside the split folders"] += len(beside)
    if beside:
        more = f" and {len(beside) - _NAMED:,} more" if len(beside) > _NAMED else ""
        walk.notes.append(
            f"{here.path}: beside the split folders and not read: {', '.join(map(repr, beside[:_NAMED]))}{more}."
        )
    walk.notes += [f"{child.path}: the name of a split, but no pictures in it." for child in empty]
    return splits, [file for found in splits for file in walk.of_split(here, found)], here


def _about_splits(source: Path, splits: list[SplitFolder], given: set[Split | None]) -> Iterator[str]:
    """Which folder is which split where the usual words do not say it, and of which split no file is `given`."""
    unusual = [found for found in splits if found.child.name.casefold() not in ("train", "val", "validation", "test")]
    if unusual:
        said = ", ".join(f"{found.child.name!r} as {found.split}" for found in unusual)
        yield f"{source}: read as splits by their names: {said}."
    missing = [split for split in SPLITS if split not in given]
    if "train" in given and missing:
        yield (
            f"{source}: there is no folder of the {' or '.join(missing)} split, so a training takes "
            f"{'it' if len(missing) == 1 else 'them'} out of its train pictures{_UNLESS if missing == ['test'] else ''}."
        )


def open_tree(source: Path, encoding: str | None, ignored: Counter[str]) -> tuple[Tree, Folder, tuple[str, ...]]:
    """A folder or an archive, its top, and what is to be told; what an archive holds beside files is counted in `ignored`.

    Raises: DataError where there is none, or it may not be read; what reading an archive raises.
    """
    if is_archive(source):
        tree = ArchiveTree(source, encoding)
        ignored.update(tree.ignored)
        return tree, Folder(str(source), ((-1, -1),)), tree.notes
    try:
        status = os.stat(source)
    except PermissionError:
        raise no_permission(str(source)) from None
    except (OSError, ValueError):
        raise _not_there(source) from None
    if not stat.S_ISDIR(status.st_mode):
        raise _no_folder(source)
    if is_own(source):
        raise DataError(
            f"tellapart wrote the folder {str(source)!r}; it is no data to learn from. Give the folder of your own pictures; "
            f"or, if these are, remove the file {OWN_MARK} in it."
        )
    return DiskTree(), Folder(str(source), ((status.st_dev, status.st_ino),)), ()


def _not_there(source: Path) -> DataError:
    name, inside = str(source), split_path(source)
    if inside is not None and any(member.startswith(f"{inside[1]}/") for member in open_archive(inside[0]).members):
        return DataError(
            f"{name!r} is a folder in an archive, which is read whole. Give {inside[0]!r} or a table in it, or unpack it "
            "and give the folder."
        )
    if address := _ADDRESS.match(name):
        return DataError(
            f"'{address[1]}//{name[address.end() :]}' is an address on the web, from which no data sets are fetched. Download it, "
            "and give the file or folder."
        )
    return DataError(f"there is no folder or file {name!r}. Check the spelling, or give the full path.")


def _no_folder(source: Path) -> DataError:
    if source.name.lower().endswith(NOT_READ):
        return DataError(
            f"the archive {str(source)!r} is of a kind that is not read in place. Unpack it and give the folder, or pack it as "
            f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}."
        )
    return DataError(
        f"{str(source)!r} is neither a folder, an archive ({', '.join(ENDINGS)}) nor a table that is read (.csv, .tsv, "
        ".txt, .xlsx, .json, .jsonl, .parquet, .arrow ...). Give the folder that holds the class folders, or a table with the "
        "columns path and label."
    )


def _left_out(ignored: Mapping[str, int]) -> str:
    counts = ", ".join(f"{reason}: {count}" for reason, count in sorted(ignored.items()) if count)
    return f" (left out: {counts})" if counts else ""


def _no_class_folders(source: Path, files: list[Child], ignored: Mapping[str, int]) -> DataError:
    what = f"holds {counted(len(files), 'file')} but no class folders" if files else "is empty"
    kind = "archive" if is_archive(source) else "folder"
    archives = [child.name for child in files if child.name.lower().endswith((*ENDINGS, *NOT_READ))]
    one = "" if kind == "archive" else f", or give one, such as {str(source / archives[0])!r}" if archives else ""
    hint = f" Or unpack its archives{one}." if archives else ""
    tables = [child.name for child in files if child.name.lower().endswith(_TABLES)]
    hint += f" Or give its table {str(source / tables[0])!r}." if tables else ""
    hint += _other_kind(files)
    return DataError(f"the {kind} {str(source)!r} {what}{_left_out(ignored)}. {_ARRANGE}.{hint}")


def _other_kind(files: list[Child]) -> str:
    """What another task would read, where most files are of its kind."""
    endings = Counter(os.path.splitext(child.name)[1].lower() for child in files)
    for ending, words in _OTHER_KINDS.items():
        if 2 * endings[ending] > len(files):
            return f" Or, since most are {ending} files: {words}."
    return ""
