"""Which stages of a network train. In: StagedNetwork, --unfreeze. Out: frozen stages. Next: build.py."""

from __future__ import annotations

import math

from tellapart.errors import SettingsError
from tellapart.models.staged import StagedNetwork


def parse_unfreeze(text: str, stage_count: int) -> int:
    """How many stages train, counted from the top: 0 for `head`, all for `all`, the rest as counted.

    `half` and shares such as 0.25 are rounded up, so that a share above 0 always trains a stage.
    Raises: SettingsError for another word, or for a number beyond `stage_count`.
    """
    word = text.strip().lower()
    shares = {"head": 0.0, "half": 0.5, "all": 1.0}
    if word in shares:
        return math.ceil(shares[word] * stage_count)
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if 0 < number < 1:
        return math.ceil(number * stage_count)
    if number.is_integer() and 0 <= number <= stage_count:
        return int(number)
    raise SettingsError(
        f"--unfreeze is {text!r}; this network has {stage_count} {'stage' if stage_count == 1 else 'stages'}. "
        f"Give head, half, all, a share such as 0.25, or a whole number from 0 to {stage_count}."
    )


def freeze(network: StagedNetwork, trained: int) -> None:
    """Let the `trained` top stages and the classifier train, and nothing else; 0 trains the classifier alone.

    What runs between the last stage and the classifier trains as a part of the last stage. Frozen stages compute no
    gradients, and their batch norm keeps its statistics, in training mode too.
    Raises: SettingsError when the network has fewer stages.
    """
    count = len(network.stages)
    if not 0 <= trained <= count:
        raise SettingsError(f"{trained} stages cannot train: the network has {count}. Give a number from 0 to {count}.")
    network.frozen = count - trained
    for stage in range(count):
        for _, parameter in network.stage_parameters(stage):
            parameter.requires_grad_(stage >= network.frozen)
    network.train(network.training)
