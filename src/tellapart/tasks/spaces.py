"""What a search tries where nobody names anything. In: nothing. Out: spaces by strategy. Next: task.py.

Wide enough to hold what is best for most pictures, and no key that only costs time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tellapart.settings.space import Space, TriedRange, TriedValues
from tellapart.settings.tree import Strategy

_RATE = {"loop.weight_decay": TriedRange(low=1e-3, high=0.3, logarithmic=True)}
_VARIED = TriedValues(values=("none", "light", "medium", "strong"))
_PROBE: Space = {
    "probe.strength": TriedRange(low=1e-4, high=1.0, logarithmic=True),
    "probe.weighing": TriedValues(values=("last", "alike", "fourth_root", "square_root")),
    "class_weights": TriedValues(values=("none", "balanced")),
}
_FINETUNE: Space = {
    "loop.learning_rate": TriedRange(low=5e-5, high=3e-3, logarithmic=True),
    **_RATE,
    "finetune.unfreeze": TriedValues(values=("0.25", "half", "0.75")),
    "augment.preset": _VARIED,
    "network.dropout": TriedRange(low=0.0, high=0.5),
}
_SCRATCH: Space = {
    "loop.learning_rate": TriedRange(low=1e-4, high=1e-2, logarithmic=True),
    **_RATE,
    "loop.batch_size": TriedValues(values=(16, 32, 64)),
    "augment.preset": _VARIED,
    "network.dropout": TriedRange(low=0.0, high=0.5),
}
_LINEAR: Mapping[Strategy, Space] = {"auto": _FINETUNE, "probe": _PROBE, "finetune": _FINETUNE, "scratch": _SCRATCH}


def linear_space(strategy: Strategy) -> Space:
    """Of tasks whose network ends with a linear layer."""
    return _LINEAR[strategy]


def headed(*, probe: Space, finetune: Space, scratch: Space) -> Callable[[Strategy], Space]:
    """The same of a task with a head of its own, for which the linear layer's settings are nothing."""
    spaces: Mapping[Strategy, Space] = {"auto": finetune, "probe": probe, "finetune": finetune, "scratch": scratch}
    return lambda strategy: spaces[strategy]
