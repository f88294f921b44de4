"""A trained network of texts becomes a candidate. In: Prepared, Fitted. Out: WordCandidate. Next: word_candidate.py."""

from __future__ import annotations

import numpy as np

from tellapart.tasks.prepared import Prepared
from tellapart.tasks.text.networks.making import TextNetwork
from tellapart.tasks.text.word_candidate import WordCandidate
from tellapart.training.progress import Fitted, how_it_went


def finish(prepared: Prepared, fitted: Fitted) -> WordCandidate:
    """The trained network with its words. Raises: TypeError for a network that is none of texts."""
    network, given = prepared.network, prepared.given
    if not isinstance(network, TextNetwork):
        raise TypeError(f"a network {type(network).__name__}; this is for texts")
    weights = {name: tensor.cpu().numpy().astype(np.float32) for name, tensor in network.weights().items()}
    return WordCandidate(
        given=given, weights=weights, source=prepared.source, license=prepared.license, how=how_it_went(fitted)
    )
