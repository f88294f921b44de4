"""`tellapart explain` with a model of texts. In: OpenRun, paths. Out: words and what they say. Next: asked_texts.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tellapart.runs.open import OpenRun
    from tellapart.workflows.explain_texts import TextReason

_WORDS = 8  # that a line names, for and against
_ONLY_PICTURES = ("layer", "box")


def explain_texts(opened: OpenRun, paths: tuple[str, ...], options: Mapping[str, Any], *, as_json: bool) -> int:
    """Tell why each text has its class; the exit code. Raises: SettingsError for flags about pictures, DataError, StorageError."""
    from tellapart.cli.asked_texts import text_items
    from tellapart.cli.speaking import said, screen_language
    from tellapart.errors import SettingsError
    from tellapart.explanation.word_reasons import METHODS
    from tellapart.storage import check_free
    from tellapart.workflows.explain_texts import TextReasons, write_page

    methods = options.get("methods") or ()
    for name in _ONLY_PICTURES if all(one in METHODS for one in methods) else ("methods", *_ONLY_PICTURES):
        if options.get(name):
            raise SettingsError(
                f"--{name.removesuffix('s')} is about pictures, and the model is of texts. Leave it out."
            )
    out: Path | None = options["out"]
    page = None if out is None else out if out.suffix.lower() in (".html", ".htm") else out / "explanation.html"
    if page is not None:
        check_free(page, force=options["force"])
    if len(methods) > 1:
        raise SettingsError(
            f"--method is given {len(methods)} times; words are weighed in one way at once. Give it once."
        )
    reasons = TextReasons(opened, methods[0] if methods else None)
    found = reasons.explain(text_items(paths, None, None), class_name=options["class_name"])
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        write_page(page, found, said, language=screen_language())
    if as_json:
        click.echo(json.dumps({"texts": [one.as_json() for one in found]}, ensure_ascii=False))
    else:
        click.echo("\n\n".join(map(_told, found)) + (f"\n\nWritten to {page}" if page is not None else ""))
    return 2 if found and all(one.error for one in found) else 0


def _told(one: TextReason) -> str:
    from tellapart.workflows.explain_texts import told_faithfulness

    if one.error:
        return f"{one.path}  ({one.error})"
    ranked = sorted(one.words, key=lambda pair: -abs(pair[1]))
    sides = [[pair for pair in ranked if sign * pair[1] > 0][:_WORDS] for sign in (1, -1)]
    lines = [f"{one.path}: {one.label} {100 * one.probability:.1f} %, over {one.over}"]
    for name, pairs in zip(("for", "against"), sides, strict=True):
        if pairs:
            lines.append(f"  {name:<8} " + ", ".join(f"{word.strip()} {weight:+.2f}" for word, weight in pairs))
    if one.believed is not None:
        lines.append(f"  {told_faithfulness(one)}")
    return "\n".join(lines)
