"""What the report says of a network of texts. In: OpenRun, Phrases. Out: sections. Next: sections.py."""

from __future__ import annotations

from typing import Any

from tellapart.reporting.blocks import Block, Column, Heading, Paragraph, Section, Table
from tellapart.reporting.phrases import Phrases
from tellapart.reporting.sections import learning_section
from tellapart.runs.open import OpenRun
from tellapart.runs.parts import learning_part

_CHANNELS = {"random": "texts_random", "static": "texts_static", "tuned": "texts_tuned", "both": "texts_both"}
_METHODS = {"occlusion": "texts_occlusion", "integrated_gradients": "texts_integrated_gradients"}


def network_of(run: OpenRun) -> dict[str, Any]:
    """What was trained, as metrics.json has it; nothing of n-grams."""
    details = run.metrics["training"].get(run.manifest.strategy) or {}
    each = details.get("parts") or [details]  # of a mean
    return next((one for one in each if "layers" in one), {})


def network_sections(run: OpenRun, phrases: Phrases) -> list[Section]:
    """How it was trained, and what it is made of."""
    t, found = phrases, network_of(run)
    if not found:
        return []
    learning = learning_section(learning_part(run, phrases), phrases)
    network, layers = found["network"], found["layers"]
    lead = t(
        "texts_network_lead",
        name=network["name"],
        known=network["known"],
        unit=t(network["unit"]),
        window=network["window"],
        parameters=sum(layer["parameters"] for layer in layers),
        channels=t(_CHANNELS[network["channels"]]),
    )
    rows = [
        (
            layer["name"],
            layer["does"],
            " × ".join(f"{side:,}" for side in layer["output"]),
            f"{layer['parameters']:,}",
            f"{layer['multiply_adds'] / 1e6:,.2f}",
        )
        for layer in layers
    ]
    columns = [
        Column(name=t("texts_layer")),
        Column(name=t("texts_does")),
        Column(name=t("texts_output"), kind="number"),
        Column(name=t("texts_parameters"), kind="number"),
        Column(name=t("compressed_macs"), kind="number"),
    ]
    blocks: list[Block] = [*learning.blocks, Heading(text=t("texts_network")), Paragraph(text=lead, tone="soft")]
    blocks += [Table(columns=columns, rows=rows), *_believed(run, phrases)]
    return [Section(key="learning", title=learning.title, blocks=blocks)]


def _believed(run: OpenRun, phrases: Phrases) -> list[Block]:
    """How far the colours of words can be believed."""
    found = run.metrics.get("faithfulness") or {}
    blocks: list[Block] = []
    for name, one in (found.get("methods") or {}).items():
        key = "texts_faithful" if one["deletion"] < one["chance"] else "texts_unfaithful"
        values = {"method": phrases(_METHODS[name]), "deletion": one["deletion"], "chance": one["chance"]}
        tone = "soft" if key == "texts_faithful" else "warning"
        blocks.append(Paragraph(text=phrases(key, n=found["texts"], **values), tone=tone))  # type: ignore[arg-type]
    return blocks
