"""What a search of texts tries where nobody names anything. In: a strategy. Out: Space. Next: task.py."""

from __future__ import annotations

from collections.abc import Mapping

from tellapart.settings.space import Space, TriedRange, TriedValues
from tellapart.settings.tree import Strategy

_GRAMS: Space = {
    "probe.grams.words": TriedValues(values=("none", "1", "1-2", "1-3")),
    "probe.grams.characters": TriedValues(values=("1-2", "1-3", "2-4", "2-5", "3-6")),
    "probe.grams.least": TriedValues(values=(1, 2, 3, 5)),
    "probe.grams.by_class": TriedValues(values=(True, False)),
    "probe.strength": TriedRange(low=1e-7, high=1e-2, logarithmic=True),
}
_NETWORK: Space = {
    "loop.learning_rate": TriedRange(low=2e-4, high=5e-3, logarithmic=True),
    "loop.batch_size": TriedValues(values=(32, 50, 128)),
    "network.text.embedding": TriedValues(values=(100, 200, 300)),
    "network.text.filters": TriedValues(values=(50, 100, 200)),
    "network.dropout": TriedRange(low=0.2, high=0.6),
}
_SPACES: Mapping[Strategy, Space] = {"auto": _GRAMS, "probe": _GRAMS, "finetune": _GRAMS, "scratch": _NETWORK}


def space(strategy: Strategy) -> Space:
    """Of the classifier of n-grams, or of a network."""
    return _SPACES[strategy]
