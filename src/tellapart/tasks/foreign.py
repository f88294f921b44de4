"""Settings that only some tasks look at. In: TrainSettings. Out: nothing, or an error. Next: task.py.

What would change nothing is a slip: a network that finds boxes, told for pictures with one class each.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from tellapart.errors import SettingsError

if TYPE_CHECKING:
    from tellapart.settings.tree import TrainSettings

BOXES, MASKS, LABELS = "pictures with boxes", "pictures with masks", "pictures with classes"
TEXTS = "texts"
# Setting -> what it is for.
_FOR: Mapping[str, str] = MappingProxyType(
    {
        "network.detector": BOXES,
        "network.weights": BOXES,
        "finetune.first_epochs": BOXES,
        "finetune.first_views": BOXES,
        "augment.mosaic": BOXES,
        "network.decoder": MASKS,
        "augment.elastic": MASKS,
        "network.pooling": LABELS,
        "network.output": LABELS,
        "network.auxiliary": LABELS,
        "probe.strength": LABELS,
        "probe.weighing": LABELS,
    }
)
_LOSSES_OF_MASKS = ("tversky", "lovasz")
_LOSSES_OF_LABELS = ("hinge", "mean_squared_error", "binary_cross_entropy")


def refuse_foreign(settings: TrainSettings, own: str = LABELS) -> None:
    """`own`: what the task is for. Raises: SettingsError for a setting that is told and of no use to it."""
    for name, kind in _FOR.items():
        part, _, key = name.partition(".")
        value = getattr(settings, part).model_dump()[key]
        if value not in (None, 0, 0.0) and kind != own:
            shown = value if isinstance(value, str) else "true" if value is True else f"{value:g}"
            raise SettingsError(f"{name} is {shown}, which is for {kind} alone. Leave it out.")
    if settings.embeddings is not None:
        raise SettingsError(
            f"--embeddings is {settings.embeddings!r}, a network of sentences, which is for texts alone. Leave it out."
        )
    if own != TEXTS and (text := settings.network.text) != type(text)():
        told = next(key for key in type(text).model_fields if getattr(text, key) != getattr(type(text)(), key))
        raise SettingsError(f"network.text.{told} is {getattr(text, told)}, which is for {TEXTS} alone. Leave it out.")
    if own != TEXTS and (grams := settings.probe.grams) != type(grams)():
        told = next(key for key in type(grams).model_fields if getattr(grams, key) != getattr(type(grams)(), key))
        raise SettingsError(f"probe.grams.{told} is {getattr(grams, told)}, which is for {TEXTS} alone. Leave it out.")
    for losses, kind in ((_LOSSES_OF_MASKS, MASKS), (_LOSSES_OF_LABELS, LABELS)):
        if settings.loop.loss in losses and own != kind:
            raise SettingsError(
                f"loop.loss is {settings.loop.loss}, which is for {kind} alone. Choose cross_entropy, or leave it out."
            )
