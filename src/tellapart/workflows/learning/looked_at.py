"""What TensorBoard shows of a trained network beside its curves. In: a candidate. Out: events, files. Next: finished.py.

Its layers as a graph, whom it took for whom on the validation split, and the embeddings of that split for the projector.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.drawing.confusion import MOST_CLASSES, draw_confusions
from tellapart.evaluation.choosing import LinearCandidate
from tellapart.evaluation.metrics import confusions
from tellapart.models.staged import StagedNetwork
from tellapart.models.summary import layer_table
from tellapart.tasks.prepared import Prepared
from tellapart.training.curves import open_curves

_MOST_EMBEDDED = 1000  # pictures that the projector shows


def show_network(prepared: Prepared, candidate: LinearCandidate, dataset: Dataset, folder: Path, *, epoch: int) -> None:
    """Write it all into the `tensorboard` folder of the run's `folder`, as of epoch `epoch`. Raises: StorageError, DataError."""
    rows = dataset.rows["validation"]
    with open_curves(folder / "tensorboard") as curves:
        if isinstance(prepared.network, StagedNetwork):
            layers = layer_table(prepared.network)
            curves.graph([(layer.name, layer.kind, layer.shape) for layer in layers])
        if dataset.targets.ndim == 1 and len(dataset.classes) <= MOST_CLASSES:
            predicted = candidate.logits(rows).argmax(axis=1)
            counts = confusions(dataset.targets[rows], predicted, len(dataset.classes))
            sheet = np.asarray(draw_confusions(counts, dataset.classes), dtype=np.uint8)
            curves.pictures("validation/confusion_matrix", sheet[None], epoch=epoch)
        shown = rows[:_MOST_EMBEDDED]
        labels = [dataset.examples[dataset.indices[row]].target.text for row in shown.tolist()]
        curves.embeddings(candidate.embeddings(shown), labels)
