"""What trials share. In: features on disk. Out: classifiers that read them in blocks, as one that has them in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tellapart.half_rows import half_rows
from tellapart.settings.reading import make_settings
from tellapart.workflows.searching.bench import Bench


def test_features_on_disk_are_not_turned_in_memory(bench: Bench, shades: Path) -> None:
    settings = bench.suited(make_settings({"data": str(shades), "strategy": "probe", "probe": {"strength": 0.01}}))
    dataset, embedded = bench.features(settings)
    rows = half_rows(*embedded.vectors.shape, exact=np.arange(len(embedded.vectors)))
    for row, vector in enumerate(embedded.vectors[:]):
        rows[row] = vector
    on_disk = replace(embedded, vectors=rows)
    assert bench.task.refit is not None
    assert bench.task.refit(dataset, on_disk)(settings) is None
    _, here = bench.classifier(settings)
    for key in bench._embedded:
        bench._embedded[key] = dataset, on_disk
    bench._refit = None
    _, there = bench.classifier(settings)
    # Both end a millionth of a nat from the minimum, which says little of the weights.
    np.testing.assert_allclose(
        there.logits(dataset.rows["validation"]), here.logits(dataset.rows["validation"]), atol=0.05
    )
