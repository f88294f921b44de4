"""Pictures for a sheet, spread over the classes. In: a Listing, a View. Out: decoded pictures. Next: augment_rows.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tellapart.data.examples import Entry, Listing
from tellapart.decoding import Decoded
from tellapart.deep_values import Span
from tellapart.errors import DataError, PictureError, SettingsError, StorageError
from tellapart.preprocessing import MAX_PIXELS, UNSCALED, Fit, decode
from tellapart.reporter import Reporter
from tellapart.sources.reading import read_bytes

LARGEST = 1024  # pixels, side of what the network is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a training's network is shown."""

    size: int = 224  # pixels, side of its input
    fit: Fit = "crop"  # how pictures that are not square fit
    value_range: Span | None = None  # of pictures of more than 8 bits; None: each by what its file says
    crop: float = 0.875  # share of a picture's shorter side
    grey: bool = False
    scale: float = 1.0  # pixels of the input for one of the picture, in tiles


def check_out(out: Path, pictures: Path, *, force: bool) -> None:
    """Raises: SettingsError, StorageError for a sheet that cannot be written there."""
    if out.suffix.lower() != ".png":
        raise SettingsError(
            f"the sheet would be written to {out}, which does not end in .png. Name it sheet.png, for example."
        )
    if out.is_dir():
        raise StorageError(f"{out} is a folder, not a file. Choose another name.")
    if pictures.is_dir() and pictures.resolve() in out.resolve().parent.parents:
        raise SettingsError(
            f"{out} lies inside {pictures}, where it would become one of the pictures. Choose another folder."
        )
    if out.exists() and not force:
        raise StorageError(f"{out} exists already. Choose another name, or give --force to replace it.")


def tell_deep(sampled: list[tuple[Entry, Decoded]], reporter: Reporter) -> None:
    """A word where a training would find a range that the sheet does not know."""
    deep = [entry for entry, decoded in sampled if decoded.deep is not None and not decoded.deep.windowed]
    if deep:
        reporter.warn(
            f"{deep[0].path} has more than 8 bits a pixel, and is shown by the range of its kind of numbers. A training finds one "
            "over all pictures: `tellapart check` tells it, --range LOW:HIGH shows them so."
        )


def sampled_pictures(
    listing: Listing, count: int, seed: int, view: View
) -> tuple[list[tuple[Entry, Decoded]], list[tuple[Path, str]]]:
    """One readable picture of each class in turn, until there are enough; only of the train split where one is given."""
    entries = [entry for entry in listing.entries if entry.split in (None, "train")] or list(listing.entries)
    random = np.random.default_rng(seed)
    unreadable: list[tuple[Path, str]] = []
    by_class: dict[str, list[Entry]] = {}
    for index in random.permutation(len(entries)).tolist():
        by_class.setdefault(entries[index].target.said, []).append(entries[index])
    waiting = [_readable(members, unreadable, view) for members in by_class.values()]  # in random order
    found: list[tuple[Entry, Decoded]] = []
    while waiting and len(found) < count:
        readers = waiting[: count - len(found)]
        taken = [(reader, next(reader, None)) for reader in readers]
        found += [picture for _, picture in taken if picture is not None]
        spent = [reader for reader, picture in taken if picture is None]
        waiting = [reader for reader in waiting if reader not in spent]
    return sorted(found, key=lambda item: (item[0].target.said, item[0].path)), unreadable


def told_label(entry: Entry) -> str:
    """What a picture's label says below it; of a file that goes with it, such as a mask not yet opened, the name alone."""
    said = entry.target.said
    return next((file.name for file in entry.target.files if str(file) == said), said)


def none_readable(source: Path, unreadable: Sequence[tuple[Path, str]]) -> DataError:
    """What to say where no picture was found that can be read."""
    path, reason = unreadable[0]
    return DataError(
        f"no picture of {str(source)!r} can be read; the first, {path}, is: {reason}. Run `tellapart check` on it."
    )


def _readable(entries: list[Entry], unreadable: list[tuple[Path, str]], view: View) -> Iterator[tuple[Entry, Decoded]]:
    target = MAX_PIXELS if view.fit in UNSCALED else LARGEST  # of what is cut nothing is read smaller
    for entry in entries:
        try:
            yield entry, decode(_read(entry.path), target=target, span=view.value_range)
        except PictureError as error:
            unreadable.append((entry.path, str(error)))


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except OSError as error:
        raise PictureError(f"cannot be read: {error.strerror}") from None
