"""What is to be drawn of an augmentation, as the flags say it. In: flags. Out: AskedSheet. Next: augment_grid.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.data.examples import ReadOptions
    from tellapart.reporter import Reporter


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSheet:
    """A sheet or a grid."""

    pictures: Path
    out: Path
    recipe: Path | None
    size: int | None  # pixels, side of the network's input
    seed: int
    force: bool
    told: ReadOptions
    changes: Mapping[str, Any]  # settings of the augmentation that were given
    reporter: Reporter
