"""`tellapart explain RUN --network` of texts. In: OpenRun. Out: a table of its layers. Next: explain_texts.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tellapart.runs.open import OpenRun


def tell_layers(opened: OpenRun, *, as_json: bool) -> int:
    """Print the layers as the training noted them; the exit code.

    Raises: SettingsError of n-grams, which have none; DataError where the run's metrics.json is not there.
    """
    from tellapart.errors import SettingsError

    details = opened.metrics["training"].get(opened.manifest.strategy) or {}
    layers: list[dict[str, Any]] = details.get("layers") or []
    if not layers:
        raise SettingsError("this model counts n-grams: there is no network in it with layers. Explain a text instead.")
    whole = {key: sum(int(layer[key]) for layer in layers) for key in ("parameters", "multiply_adds")}
    if as_json:
        click.echo(json.dumps({"network": {**details["network"], **whole, "layers": layers}}, ensure_ascii=False))
        return 0
    for layer in layers:
        shape = " x ".join(map(str, layer["output"]))
        click.echo(f"{layer['name']:<16} {shape:>12} {layer['parameters']:>12,} weights  {layer['does']}")
    click.echo(
        f"{'':<16} {'':>12} {whole['parameters']:>12,} weights, {whole['multiply_adds'] / 1e6:,.1f} million multiply-adds"
    )
    return 0
