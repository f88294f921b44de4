"""What suits a network of texts where nothing was told. In: TrainSettings. Out: the same, filled in. Next: preparing.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tellapart.errors import SettingsError
from tellapart.settings.parts import NetworkSettings
from tellapart.settings.tree import TrainSettings
from tellapart.tasks.foreign import TEXTS, refuse_foreign
from tellapart.tasks.text.networks.plan import NAMES

# Of the loop, as long as nobody says otherwise; what is long known of pictures does not hold for texts.
_LOOP: Mapping[str, Any] = {
    "optimizer": "adam",
    "batch_size": 50,
    "schedule": "constant",
    "warmup_epochs": 0.0,
    "label_smoothing": 0.0,
    "patience": 3,
    "workers": 0,
}
_FREE = ("name", "dropout", "text")  # settings of a network that texts look at


def suit_network(settings: TrainSettings) -> TrainSettings:
    """For `--strategy scratch`. Raises: SettingsError for what is about pictures."""
    refuse_foreign(settings, own=TEXTS)
    network, plain = settings.network, NetworkSettings()
    for key in type(network).model_fields:
        if key not in _FREE and getattr(network, key) != getattr(plain, key):
            raise SettingsError(f"network.{key} is {getattr(network, key)}, which is about pictures. Leave it out.")
    if network.name not in (plain.name, *NAMES):
        raise SettingsError(
            f"no network of texts is called {network.name!r}. Choose {' or '.join(NAMES)} with --network; without "
            "it text_cnn is trained."
        )
    varied = settings.augment
    for key in type(varied).model_fields:
        if getattr(varied, key) != getattr(type(varied)(), key):
            raise SettingsError(
                f"augment.{key} is {getattr(varied, key)}, and texts are learned as they are. Leave it out."
            )
    named = network.model_copy(update={"name": NAMES[0] if network.name == plain.name else network.name})
    return suit_loop(settings.model_copy(update={"network": named}))


def suit_loop(settings: TrainSettings) -> TrainSettings:
    """The same for a network that a free strategy may try: its loop alone."""
    loop = settings.loop
    open_ones = {key: value for key, value in _LOOP.items() if key not in loop.model_fields_set}
    return settings.model_copy(update={"loop": loop.model_copy(update=open_ones)})
