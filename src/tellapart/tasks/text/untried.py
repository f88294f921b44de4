"""Why `auto` tried no network of words, and what one would take. In: training texts. Out: a sentence. Next: suiting.py.

A network of words takes minutes where n-grams take seconds, and of few texts it learns less than they do. So it is tried where time
was given for it, and where none was, the screen says how much it would need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

import numpy as np

from tellapart.reporter import duration
from tellapart.settings.parts import TextNetworkSettings
from tellapart.texts.writing_systems import is_unspaced

FEW = 1_000  # training texts; of 7,500 and 8,750 n-grams were still ahead of a network from random vectors (docs/results.md)
_EPOCHS = 5  # after which the best one mostly is there
_WORD = 1e-4  # seconds of one core, of a word in one epoch: Kim's network with 300 numbers a word
_BEFORE = 10.0  # seconds until it begins, and for what comes after it
_LOOKED_AT = 1_000  # texts whose lengths are counted


def why_untried(train: Sequence[str], told: TextNetworkSettings, *, cores: int) -> str:
    """A sentence on the network that was not tried on these training texts, for a machine with so many `cores`."""
    if len(train) < FEW:
        return (
            f"No network of words was tried beside the n-grams: of {len(train):,} training texts it learns too little; it takes "
            f"over {FEW:,}. --budget 5m tries one all the same."
        )
    seconds = needed(train, told, cores=cores)
    minutes = math.ceil(1.5 * seconds / 60)
    return (
        f"No network of words was tried beside the n-grams: without --budget these answer at once, and a network takes about "
        f"{duration(seconds)} here. It may do better, alone or as the mean of both: try --budget {minutes}m."
    )


def needed(train: Sequence[str], told: TextNetworkSettings, *, cores: int) -> float:
    """Seconds that such a network takes, about."""
    step = max(1, len(train) // _LOOKED_AT)
    some = list(islice(train, 0, None, step))
    letters = told.unit == "characters" or (told.unit is None and is_unspaced(some))
    lengths = [len(text) if letters else len(text.split()) for text in some]
    typical = min(told.window, float(np.mean(lengths)))
    return _BEFORE + _EPOCHS * len(train) * typical * _WORD / cores
