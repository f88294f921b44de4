"""Golden texts: what every step makes of them. In: texts, TextInputs, a network. Out: JSON values. Next: samples.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.cleaning import clean
from tellapart.texts.inputs import TextInputs, TextPart, as_input
from tellapart.texts.ngrams import Rules, find_grams
from tellapart.texts.pieces import PieceInputs
from tellapart.texts.sequences import WordInputs
from tellapart.texts.vocabulary import GramInputs

_LONGEST = 2_000  # letters of a golden text of the user's; longer ones prove no more
# What a program of one's own may do otherwise.
MADE = (
    "A Fine FILM, isn't it? foo_bar 3.14",
    "\uff26\uff35\uff2c\uff2c width \u00df \u0130stanbul \u03a3\u0391\u03a3 \u01c5",
    "zero\u200bwidth\u202e and \x00 controls\n\tin lines\u3000 \u2028 end\ufe0f",
    "\u65e0\u7a7a\u683c\u7684\u6587\u5b57\uff0c\u4e8c\u2fa1f",
    "\U0001f600 e\u0301 \u1e9e \ufb01ne \u2460\u00bd \u212b q\u0323\u0307 q\u0307\u0323 \u0e20\u0e32\u0e29\u0e32",
    "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab\u1100\u116e\u11a8 \uff8a\uff9f\uff9d \u304b\u3099 \ufdfa R\u00e9sum\u00e9 na\u00efve",
    "long" * 30 + " $5\u20ac+tax~ \u00a1no! \u00abs\u00ed\u00bb \ue000private",
)


def golden_texts(texts: Sequence[str], count: int) -> list[str]:
    """The first `count` of those that are not long, and the made ones."""
    return [*[one for one in texts if len(one) <= _LONGEST][:count], *MADE]


def golden(
    texts: Sequence[str], inputs: TextInputs, compute: Callable[[NDArray[np.int32]], Mapping[str, NDArray[Any]]]
) -> list[dict[str, Any]]:
    """What stands in golden.json: of each text what each step makes, and what the network says."""
    found = []
    for text in texts:
        arrays = compute(as_input([text], inputs))
        found.append(
            {
                "text": text,
                "cleaned": clean(text),
                "parts": [_part(text, part) for part in inputs.parts],
                "probabilities": np.asarray(arrays["probabilities"][0], dtype=float).round(6).tolist(),
                "novelty": round(float(arrays["novelty"][0]), 6),
            }
        )
    return found


def _part(text: str, part: TextPart) -> dict[str, Any]:
    tokens = part.encode([text])[0].tolist()
    if isinstance(part, PieceInputs):
        return {"kind": "pieces", "found": [part.words(text)], "tokens": tokens}
    if isinstance(part, WordInputs):
        return {"kind": "words", "found": _grams(text, part.rules), "tokens": tokens}
    if isinstance(part, GramInputs):
        return {"kind": "grams", "found": _grams(text, part.rules), "tokens": tokens}
    raise ValueError(f"nobody knows the steps of {type(part).__name__}")


def _grams(text: str, rules: Rules) -> list[list[str]]:
    """The numbers of its n-grams in hexadecimal, a list a block, each as often as it occurs."""
    return [[f"{number:016x}" for number in one.numbers.tolist()] for one in find_grams([clean(text)], rules)]
