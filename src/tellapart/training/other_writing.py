"""N-grams in a writing that is not that of most texts. In: texts without blanks between words. Out: flags. Next: ngram_probe.py.

Letters of an alphabet are known to a model of Chinese headlines, from names in them, and so are two of them in a row: of a sentence
in English nothing is new to it, but that all of it is in that writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.texts.cleaning import in_parts
from tellapart.texts.ngrams import find_grams
from tellapart.texts.vocabulary import GramInputs
from tellapart.texts.writing_systems import UNSPACED, system_of

_MOST_TEXTS = 100_000  # that are looked at for what their n-grams are written in


def of_other_writing(texts: Sequence[str], inputs: GramInputs) -> NDArray[np.bool_] | None:
    """Which of F known n-grams are of letters of an alphabet, where cleaned texts are not, [F]; None where words stand apart."""
    if not inputs.rules.across:
        return None
    found = np.zeros(len(inputs.known), dtype=np.bool_)
    step = max(1, len(texts) // _MOST_TEXTS)
    for part in in_parts(texts[row] for row in range(0, len(texts), step)):
        starts = np.cumsum([0, *map(len, part)])
        kinds = _kinds("".join(part))
        letters, own = (np.concatenate([[0], np.cumsum(kinds == kind)]) for kind in (1, 2))
        for grams in find_grams(part, inputs.rules):
            places = inputs.places(grams.numbers)
            there = places >= 0
            first = starts[grams.rows[there]]
            begin, end = first + grams.starts[there], first + grams.ends[there]
            other = (letters[end] > letters[begin]) & (own[end] == own[begin])
            found[places[there][other]] = True
    return found if found.any() else None


def strangeness_of_other(matrix: Any, other: NDArray[np.bool_] | None, blocks: int) -> NDArray[np.float64]:
    """How strange N texts are by the other writing, [N] in [0, 1]; sparse rows [N, F], each block of length 1.

    The sixth power of how much of what is known of a text is of it: half of a headline may be the name of a product in letters,
    and counts for 0.02; of a sentence in letters it is nearly all.
    """
    if other is None:
        return np.zeros(matrix.shape[0])
    share = np.asarray(matrix.multiply(matrix) @ other.astype(np.float64), dtype=np.float64).reshape(-1) / blocks
    return np.asarray(share**6)


def _kinds(text: str) -> NDArray[np.uint8]:
    """1 of each letter of an alphabet, 2 of one whose words do not stand apart, 0 of what is no letter."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    each, places = np.unique(codes, return_inverse=True)
    systems = [system_of(chr(code)) for code in each.tolist()]
    return np.array([0 if not one else 2 if one in UNSPACED else 1 for one in systems], dtype=np.uint8)[places]
