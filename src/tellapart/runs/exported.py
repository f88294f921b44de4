"""What a run's folder was exported to, for its report. In: exports/*/card.json. Out: a section. Next: picked_backbone.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tellapart.bundle import Score
from tellapart.errors import DataError
from tellapart.reporting.blocks import Block, Column, Paragraph, Section, Table
from tellapart.reporting.phrases import Phrases
from tellapart.storage import storage_errors

_FOLDER, _CARD = "exports", "card.json"
_LARGEST = 2**20  # bytes of a card


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Score(_Part):
    name: str
    value: float | None
    low: float | None = None
    high: float | None = None


class _Times(_Part):
    one: float
    sixteen: float
    at_once: int = 16  # of large pictures fewer


class _Measured(_Part):
    score: _Score | None = None
    milliseconds: _Times | None = None
    megabytes: float


class Card(_Measured):
    """What a card must tell to stand in a report; it may tell more."""

    format: str
    flipped: int | None = None
    answers: int | None = None
    largest_difference: float | None = None
    before: _Measured
    pictures: int
    refused: str = ""


def read_cards(folder: Path) -> list[Card]:
    """The cards of a run's exports, by the names of their folders. Raises: DataError where one is damaged; StorageError."""
    found = []
    for path in sorted((folder / _FOLDER).glob(f"*/{_CARD}")):
        if path.parent.name.startswith("."):
            continue
        with storage_errors(path):
            data = path.read_bytes() if path.stat().st_size <= _LARGEST else b""
        try:
            told: Mapping[str, Any] = json.loads(data)
            found.append(Card.model_validate(told))
        except (ValueError, ValidationError):
            raise DataError(
                f"{path} is damaged. Without it the report does not tell of that format: export it again, or move it away."
            ) from None
    return found


def exports_section(folder: Path, phrases: Phrases, *, lead: str = "exports_lead") -> Section | None:
    """The formats, each with what it scored and what changed; None where nothing was exported. `lead` is the phrase above them."""
    cards, t = read_cards(folder), phrases
    if not cards:
        return None
    before = cards[0].before
    rows = [_row("model.onnx", before, "", "", t)]
    for card in cards:
        flipped = "" if card.flipped is None else t("exports_of", n=card.flipped, of=card.answers or 0)
        largest = "" if card.largest_difference is None else f"{card.largest_difference:.1g}"
        said = t("exports_refused", name=card.format) if card.refused else card.format
        rows.append(_row(said, card, flipped, largest, t))
    figure = before.score.name if before.score is not None else "score"
    columns = [
        Column(name=t("exports_format")),
        Column(name=t.named(figure), kind="number"),
        Column(name=t("interval"), kind="interval"),
        Column(name=t("exports_flipped"), kind="number"),
        Column(name=t("exports_difference"), kind="number"),
        Column(name=t("exports_one"), kind="number"),
        Column(
            name=t("exports_sixteen", n=16 if (times := before.milliseconds) is None else times.at_once), kind="number"
        ),
        Column(name="MB", kind="number"),
    ]
    blocks: list[Block] = [
        Paragraph(text=t(lead, n=cards[0].pictures)),
        Table(columns=columns, rows=rows, kept=0),
    ]
    if any(card.score is None for card in cards):
        blocks.append(Paragraph(text=t("exports_not_run"), tone="soft"))
    return Section(key="exports", title=t("exports"), blocks=blocks)


def _row(said: str, measured: _Measured, flipped: str, largest: str, t: Phrases) -> tuple[str | Score | None, ...]:
    score, times = measured.score, measured.milliseconds
    value = None if score is None else score.value
    interval = None if score is None or value is None else Score(value=value, low=score.low, high=score.high)
    one, sixteen = ("–", "–") if times is None else (f"{times.one:.1f}", f"{times.sixteen:.1f}")
    return (said, t.percent(value), interval, flipped, largest, one, sixteen, f"{measured.megabytes:.1f}")
