"""Thumbnails that a page shows, each made once. In: paths and what is said of them. Out: list[Shown]. Next: matrix.py."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tellapart.preprocessing import Preprocessing
from tellapart.reporting.facts import Shown
from tellapart.reporting.pictures import address, thumbnails

SIDE, LARGE_SIDE = 96, 160  # pixels

Captioned = tuple[Path, str, str, float | None]  # path, label, predicted, probability


class Album:
    """Thumbnails by path, each made once."""

    def __init__(self, read_as: Preprocessing | None = None) -> None:
        """`read_as`: how the network reads pictures of more than 8 bits, and colours."""
        self._read_as = read_as
        self._addresses: dict[tuple[Path, int], str | None] = {}

    def show(self, asked: Sequence[Captioned], *, side: int = SIDE) -> list[Shown]:
        """Pictures as the page shows them; one that is gone keeps its place."""
        new = list(dict.fromkeys(path for path, *_ in asked if (path, side) not in self._addresses))
        for path, image in zip(new, thumbnails(new, side=side, read_as=self._read_as), strict=True):
            self._addresses[path, side] = None if image is None else address(image)
        return [
            Shown(
                name=path.name,
                picture=self._addresses[path, side],
                label=label,
                predicted=predicted,
                probability=chance,
            )
            for path, label, predicted, chance in asked
        ]
