"""A network of texts with its first weights. In: NetworkPlan, vectors, a seed. Out: TextNetwork. Next: describing.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from tellapart.tasks.text.networks.dpcnn import Dpcnn
from tellapart.tasks.text.networks.plan import NetworkName, NetworkPlan
from tellapart.tasks.text.networks.table import SPREAD
from tellapart.tasks.text.networks.text_cnn import TextCnn

TextNetwork = TextCnn | Dpcnn
NETWORKS: Mapping[NetworkName, Callable[[NetworkPlan, torch.Tensor], TextNetwork]] = {
    "text_cnn": TextCnn,
    "dpcnn": Dpcnn,
}


def make_network(
    plan: NetworkPlan, *, seed: int, rows: NDArray[np.int64] | None = None, vectors: NDArray[np.float32] | None = None
) -> TextNetwork:
    """The network, a function of plan, seed and vectors alone; torch's global generator is left as it was.

    `vectors` [n, D] are those of the table's `rows` [n]; all others are drawn at random, as spread out as these are.
    """
    spread = SPREAD
    if vectors is not None and vectors.size:
        spread = float(np.sqrt(3.0 * vectors.astype(np.float64).var())) or SPREAD  # uniform, with the same variance
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        first = torch.empty(plan.known + 2, plan.embedding).uniform_(-spread, spread)
        if vectors is not None and rows is not None:
            first[torch.from_numpy(rows)] = torch.from_numpy(vectors)
        return NETWORKS[plan.name](plan, first)
