"""Settings that no detector looks at. In: TrainSettings. Out: nothing, or an error. Next: detectors.py.

What would change nothing is a slip, and is refused before minutes of learning.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tellapart.data.augmentation import resolve
from tellapart.errors import SettingsError
from tellapart.settings.tree import TrainSettings

_OWN_LOSS = "each detector has a loss of its own"
_NO_CLASSIFIER = "there is no classifier behind an embedding"
# Setting -> why it has no meaning.
_WHY: Mapping[str, str] = MappingProxyType(
    {
        "class_weights": "their loss counts all boxes alike",
        "loop.loss": _OWN_LOSS,
        "loop.focal_gamma": _OWN_LOSS,
        "loop.label_smoothing": _OWN_LOSS,
        "network.dense": _NO_CLASSIFIER,
        "network.dropout": _NO_CLASSIFIER,
        "network.crop": "pictures are shown whole",
        "finetune.views": "fine-tuning shows new variants in every epoch",
    }
)


def refuse_unused(settings: TrainSettings) -> None:
    """Raises: SettingsError for a setting that is told and that detectors do not use."""
    for name, why in _WHY.items():
        *tables, key = name.split(".")
        part = getattr(settings, tables[0]) if tables else settings
        value, usual = getattr(part, key), type(part).model_fields[key].get_default(call_default_factory=True)
        if value != usual and value:
            shown = (
                f"{value:g}" if isinstance(value, float) else str(value) if isinstance(value, (int, str)) else "told"
            )
            raise SettingsError(f"{name} is {shown}, which detectors do not use: {why}. Leave it out.")
    if settings.strategy != "probe":
        refuse_cutmix(resolve(**settings.augment.model_dump()).cutmix)


def refuse_cutmix(cutmix: float) -> None:
    """Raises: SettingsError where pictures would be cut into each other."""
    if cutmix:
        raise SettingsError(
            f"augment.cutmix is {cutmix:g}, which mixes whole classes; boxes have none. Set it to 0; augment.mosaic puts four "
            "pictures with their boxes into one."
        )
