"""What a plain request asks for in its address. In: its query. Out: numbers and flags, or a Refusal. Next: plain.py."""

from __future__ import annotations

import re

from starlette.requests import Request

from tellapart.answers.mask_files import PaintsMasks
from tellapart.serving.opened import Version
from tellapart.serving.refusals import NotAllowed, Refusal

MOST_NEIGHBOURS = 50
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")


def read_top(request: Request) -> int:
    text = request.query_params.get("top", "5")
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text)):
        raise Refusal(f"top is {text[:20]!r}; it must be a whole number from 1 to 999,999.")
    return int(text)


def read_neighbours(request: Request) -> int:
    text = request.query_params.get("neighbours", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= MOST_NEIGHBOURS):
        raise Refusal(f"neighbours is {text[:20]!r}; it must be a whole number of at most {MOST_NEIGHBOURS}.")
    return int(text)


def read_least(request: Request) -> float | None:
    text = request.query_params.get("min_score")
    if text is None:
        return None
    if not re.fullmatch(r"[01]?\.?[0-9]{1,9}", text) or not 0 <= float(text) <= 1:
        raise Refusal(f"min_score is {text[:20]!r}; it must be a number from 0 to 1, such as 0.05.")
    return float(text)


def read_box(request: Request) -> int | None:
    text = request.query_params.get("box")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text)):
        raise Refusal(f"box is {text[:20]!r}; it must be a whole number from 1, the most certain box, to 99,999.")
    return int(text)


def check_able(version: Version, *, least: float | None, box: int | None, explain: bool) -> None:
    """Raises: NotAllowed for what such a model cannot tell."""
    if least is not None and not version.answering.graded:
        raise NotAllowed(
            f"model {version.name!r} tells all that it finds; min_score is for one that finds boxes. Ask without `min_score`."
        )
    if explain and isinstance(version.answering, PaintsMasks):
        raise NotAllowed(
            f"model {version.name!r} makes masks, of which no heatmap is drawn here: `certainty` in its answer says how sure each "
            "pixel is, and `tellapart explain` what a part of a mask rests on. Ask without `explain`."
        )
    if explain and not version.explainable:
        raise NotAllowed(
            f"model {version.name!r} gives neither classes of whole pictures nor boxes, of which heatmaps are drawn. Ask without "
            "`explain`."
        )
    if box is not None and "boxes" not in version.model.session.outputs:
        raise NotAllowed(
            f"model {version.name!r} finds no boxes; `box` says of which of them a heatmap is. Ask without `box`."
        )
    if box is not None and not explain:
        raise Refusal(f"box is {box}, which says of which box a heatmap is, and none is asked for. Add `explain=true`.")


def read_flag(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "").lower()
    if text not in (*_YES, *_NO):
        raise Refusal(f"{name} is {text[:20]!r}; it must be true or false.")
    return text in _YES
