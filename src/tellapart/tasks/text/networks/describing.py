"""A network of texts layer by layer. In: NetworkPlan. Out: JSON rows. Next: plan.py."""

from __future__ import annotations

from typing import Any

from tellapart.tasks.text.networks.plan import NetworkPlan

_REGION = 3


def layers_of(plan: NetworkPlan, words: int) -> list[dict[str, Any]]:
    """Name, what it does, shape of its output, weights and multiply-adds of each layer, for a text of so many `words`."""
    channels = 2 if plan.channels == "both" else 1
    given = plan.embedding * channels
    rows = [_row("table", "vectors of words", [given, words], (plan.known + 2) * given, 0)]
    rows += _cnn(plan, given, words) if plan.name == "text_cnn" else _deep(plan, given, words)
    rows.append(
        _row(
            "classifier",
            "dropout, linear",
            [plan.classes],
            (plan.features + 1) * plan.classes,
            plan.features * plan.classes,
        )
    )
    return rows


def _cnn(plan: NetworkPlan, given: int, words: int) -> list[dict[str, Any]]:
    rows = []
    for place, width in enumerate(plan.widths):
        weights, positions = given * width * plan.filters, words + width + 1
        does = f"convolution over {width} words, largest, ReLU"
        rows.append(_row(f"convolution.{place}", does, [plan.filters], weights + plan.filters, weights * positions))
    return rows


def _deep(plan: NetworkPlan, given: int, words: int) -> list[dict[str, Any]]:
    filters = plan.filters
    weights = given * _REGION * filters
    rows = [_row("region", "convolution over 3 words", [filters, words], weights + filters, weights * words)]
    for place in range(plan.depth):
        words = -(-words // 2) if place else words
        inner = 2 * filters * _REGION * filters
        does = ("largest of 3, half as long, " if place else "") + "ReLU and convolution twice, way around"
        rows.append(_row(f"block.{place}", does, [filters, words], inner + 2 * filters, inner * words))
    return rows


def _row(name: str, does: str, output: list[int], parameters: int, multiply_adds: int) -> dict[str, Any]:
    return {"name": name, "does": does, "output": output, "parameters": parameters, "multiply_adds": multiply_adds}
