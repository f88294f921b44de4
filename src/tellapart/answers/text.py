"""One class a text: its n-grams or words as numbers, decided as pictures' are. In: text. Out: ClassAnswer. Next: given_texts.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.answering import InputRecord, PictureData, Placement
from tellapart.answers.classification import Classification
from tellapart.errors import PictureError
from tellapart.preprocessing import MAX_PIXELS
from tellapart.texts.cleaning import MOST_LETTERS, clean
from tellapart.texts.sequences import as_sequence, count_words
from tellapart.texts.vocabulary import as_input

if TYPE_CHECKING:
    from tellapart.bundle import AbstentionRecord, TaskRecord

_CUT = f"of its letters the first {MOST_LETTERS:,} alone are looked at"
_BEYOND = "of its {count:,} {units} the first {window:,} alone are looked at"


def prepare_text(
    data: PictureData, inputs: InputRecord, *, max_pixels: int = MAX_PIXELS
) -> tuple[NDArray[Any], Placement]:
    """A text, or the bytes of one in UTF-8, as an array of one cleaned str. Raises: PictureError for no text, or an empty one."""
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise PictureError(f"not a text in UTF-8: byte {data[error.start]:#04x} at {error.start:,}") from None
    if not isinstance(data, str):
        raise PictureError("pixels, and the model takes texts")
    cleaned = clean(data)
    if not cleaned:
        raise PictureError("empty: nothing is left of it without blanks and unseen characters")
    length = len(data)
    place = Placement(
        width=length, height=1, left=0, top=0, right=length, bottom=1, remark=_remark(length, cleaned, inputs)
    )
    return np.array(cleaned, dtype=object), place


def _remark(letters: int, cleaned: str, inputs: InputRecord) -> str:
    """What of a text is not looked at."""
    window = getattr(inputs, "window", None)
    # No text has more words than characters.
    if window is not None and len(cleaned) > window and (count := count_words(cleaned, inputs.rules)) > window:
        return _BEYOND.format(count=count, units="words" if inputs.rules.words else "characters", window=window)
    return _CUT * (letters > MOST_LETTERS)


def stack_texts(prepared: Sequence[NDArray[Any]], inputs: InputRecord) -> NDArray[Any]:
    """Numbers of their n-grams, int32 [N, B, L], or of their words in order, [N, 1, L]; the elements of one array of them, too."""
    texts = [str(one.item() if isinstance(one, np.ndarray) else one) for one in prepared]
    return as_input(texts, inputs) if inputs.window is None else as_sequence(texts, inputs)


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
