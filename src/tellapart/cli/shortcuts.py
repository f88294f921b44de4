"""What tells the class besides the object, in lines. In: Shortcuts as JSON. Out: lines. Next: check.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS: Mapping[str, str] = {
    "size": "the size of the picture",
    "format": "the file's format",
    "mode": "the colour mode",
    "compression": "how the JPEG was compressed",
    "camera": "what the camera or the program wrote into the file",
    "date": "the date in the file",
}
_PARTS: Mapping[str, str] = {
    "border": "the border alone, an eighth at each side",
    "masked": "all but the middle, half the side hidden",
    "marks": "marks at the edge, cell by cell",
    "thumbnail": "8 x 8 pixels",
    "colour": "the colours alone, whatever is where",
}
# What share of what the whole picture tells beyond chance is worth a warning. An object may reach beyond the middle, so that
# what is around it always tells something; single colours and cells should not.
_MUCH: Mapping[str, float] = {"border": 0.8, "marks": 0.5, "thumbnail": 0.5, "colour": 0.5}
_WIDTH = 46


def shortcut_lines(record: Mapping[str, Any]) -> list[str]:
    """The section of `check` for a person, of Shortcuts.as_json."""
    lines = ["", f"Is it the object, or the camera? Of {record['pictures']:,} pictures the class is guessed from"]
    rows = [
        ("what only the file knows", record["file"]),
        ("how many bytes a pixel took", record["bytes"]),
        ("the file's name", record["name"]),
        *((said, record[name]) for name, said in _PARTS.items()),
        ("the whole picture", record["whole"]),
    ]
    lines += [f"  {said:<{_WIDTH}}{_figure(told)}" for said, told in rows]
    lines.append(f"  {'chance':<{_WIDTH}}{_percent(record['file']['chance'])}")
    if record["left_out"]:
        lines.append(
            f"  {record['left_out']:,} pictures were not looked at: there are enough, or their class is too small."
        )
    lines.append(
        "  (mean over the classes of the share that was guessed right, by guesses that had not seen the picture)"
    )
    return [*lines, "", *_verdict(record)]


def _verdict(record: Mapping[str, Any]) -> list[str]:
    found = [*_of_file(record["file"]), *_of_parts(record)]
    if _tells(record["name"]):
        found.append("  the name tells the class, too; no network sees it, but it may show where each class came from.")
    return found or ["No shortcut was found."]


def _of_file(told: Mapping[str, Any]) -> list[str]:
    if not _tells(told):
        return []
    names = [_KINDS[fact["fact"]] for fact in told["facts"]]
    does = " and ".join(names) + (" do" if len(names) > 1 else " does") if names else "no fact alone does"
    return [
        f"! The file alone tells the class in {_figure(told)}, where chance is {_percent(told['chance'])}: {does}.",
        f"  Best known: {_best(told)}. Your result may be the camera's.",
        "  Take and save the pictures of all classes in the same way, or test on pictures that were.",
    ]


def _of_parts(record: Mapping[str, Any]) -> list[str]:
    whole = record["whole"]
    lines = []
    for name, said in _PARTS.items():
        told = record[name]
        share = _share(told, whole)
        if _tells(told) and share >= _MUCH.get(name, 2.0):
            lines.append(
                f"! {said[0].upper()}{said[1:]}: {_figure(told)}, which is {_percent(share)} of what the whole picture tells "
                f"beyond chance. Best known: {_best(told)}."
            )
    return lines


def _best(told: Mapping[str, Any]) -> str:
    """The classes that are told best, at most three."""
    ranked = sorted(told["classes"].items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} ({_percent(share)})" for name, share in ranked)


def _share(told: Mapping[str, Any], whole: Mapping[str, Any]) -> float:
    beyond = float(whole["value"]) - float(whole["chance"])
    return 0.0 if beyond <= 0 else min(1.0, max(0.0, (float(told["value"]) - float(told["chance"])) / beyond))


def _tells(told: Mapping[str, Any]) -> bool:
    return bool(told["low"] > told["chance"])


def _figure(told: Mapping[str, Any]) -> str:
    return f"{_percent(told['value'])} ({100 * told['low']:.1f} to {100 * told['high']:.1f})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
