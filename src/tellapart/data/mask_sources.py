"""What a mask is read from, in whichever form it is. In: a path. Out: MaskSource. Next: mask_pixels.py."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.data.mask_pixels import Values, cut_in_the_middle, read_values
from tellapart.data.mask_targets import MaskForm
from tellapart.errors import PictureError
from tellapart.sources.reading import read_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MaskSource:
    """A mask as its file has it, not yet laid on its picture."""

    values: Values
    digest: str  # SHA-256 of what was read, 64 hex digits


def open_source(
    path: Path, form: MaskForm = "pixels", *, item: str = "", parts: Sequence[tuple[str, Path]] = ()
) -> MaskSource:
    """Read a mask. Raises: PictureError with the reason why it can be none, or cannot be read."""
    data = _read(path)
    values = read_values(data)
    if form == "smoothed":
        values = cut_in_the_middle(values)
    return MaskSource(values=values, digest=hashlib.sha256(data).hexdigest())


def _read(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise PictureError("there is no such file") from None
    except PermissionError:
        raise PictureError("no permission to read it") from None
    except MemoryError:
        raise PictureError("not enough memory to read it") from None
    except (OSError, ValueError) as error:
        raise PictureError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
