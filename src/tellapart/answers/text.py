"""One class a text: its n-grams or words as numbers, decided as pictures' are. In: text. Out: ClassAnswer. Next: given_texts.py."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import InputRecord, PictureData, Placement
from tellapart.answers.classification import Classification
from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_PIXELS
from tellapart.texts.cleaning import MOST_LETTERS, clean
from tellapart.texts.inputs import TextInputs, as_input

if TYPE_CHECKING:
    from tellapart.bundle import AbstentionRecord, TaskRecord

_MARK = "\ufeff"  # of byte order, which some programs write before all else
_CUT = f"of its letters the first {MOST_LETTERS:,} alone are looked at"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTexts:
    """What could be read of N texts, M, and why the others could not."""

    texts: list[str]  # M, in order
    places: tuple[Placement, ...]  # M
    errors: tuple[str, ...]  # N; "" where it could be read


def prepare_text(
    data: PictureData, inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[Any], Placement]:
    """A text, or the bytes of one in UTF-8, as an array of one str. Raises: PictureError for no text, or an empty one."""
    text, place = _read(data, inputs)
    return np.array(text, dtype=object), place


def prepare_texts(given: Iterable[PictureData], inputs: InputRecord) -> ReadTexts:
    """The same of many, with an error in place of what cannot be read."""
    short, usual = _short(inputs), _placed(0, "")
    given = list(given)
    if _are_good(given, short):
        return ReadTexts(texts=given, places=(usual,) * len(given), errors=("",) * len(given))
    texts: list[str] = []
    places: list[Placement] = []
    errors: list[str] = []
    for data in given:
        # A good text, as most are: nothing of it is asked that takes long.
        if type(data) is str and data[:1].isalnum() and len(data) <= short:
            texts.append(data)
            places.append(usual)
            errors.append("")
            continue
        try:
            text, place = _read(data, inputs)
            texts.append(text)
            places.append(place)
            errors.append("")
        except PictureError as error:
            errors.append(str(error))
    return ReadTexts(texts=texts, places=tuple(places), errors=tuple(errors))


def _are_good(given: list[PictureData], short: int) -> TypeGuard[list[str]]:
    """Whether each is a text of letters or digits at its beginning, and not long: all of them looked at at once."""
    if set(map(type, given)) != {str}:
        return False
    texts = cast("list[str]", given)
    begun = "".join([text[:1] for text in texts])
    return len(begun) == len(texts) and begun.isalnum() and max(map(len, texts)) <= short


def _read(data: PictureData, inputs: InputRecord) -> tuple[str, Placement]:
    if isinstance(data, bytes):
        try:
            data = data.decode().removeprefix(_MARK)
        except UnicodeDecodeError as error:
            raise PictureError(f"not a text in UTF-8: byte {data[error.start]:#04x} at {error.start:,}") from None
    if not isinstance(data, str):
        raise PictureError("pixels, and the model takes texts")
    if not data[:1].isalnum() and not clean(data):
        raise PictureError("empty: nothing is left of it without blanks and unseen characters")
    return data, _placed(len(data), _remark(data, inputs))


def _short(inputs: InputRecord) -> int:
    """Of so many letters nothing is left out."""
    words = inputs.words if isinstance(inputs, TextInputs) else None
    return MOST_LETTERS if words is None else min(words.window, MOST_LETTERS)


@functools.lru_cache(maxsize=4096)  # making one takes longer than all else that is done here
def _placed(length: int, remark: str) -> Placement:
    return Placement(width=length, height=1, left=0, top=0, right=length, bottom=1, remark=remark)


def _remark(text: str, inputs: InputRecord) -> str:
    """What of a text is not looked at."""
    words = inputs.words if isinstance(inputs, TextInputs) else None
    if words is not None and len(text) > words.window and (count := words.beyond(clean(text))):
        return f"of its {count:,} {words.unit} the first {words.window:,} alone are looked at"
    return _CUT * (len(text) > MOST_LETTERS)


def stack_texts(prepared: Sequence[NDArray[Any]], inputs: InputRecord) -> NDArray[Any]:
    """What the model takes of them, int32 [N, H, L]; the elements of one array of them, too."""
    return as_input([str(one.item() if isinstance(one, np.ndarray) else one) for one in prepared], inputs)


class TextClassification(Classification):
    """The Answering of texts."""

    item = "text"
    at_once = 128
    prepare = staticmethod(prepare_text)
    stack = staticmethod(stack_texts)

    def abstention_of(self, record: TaskRecord) -> AbstentionRecord | None:
        """How it abstains. Raises: ValueError for another task's record."""
        if record.kind != "text":
            raise ValueError(f"a record of {record.kind}")
        return record.abstention
