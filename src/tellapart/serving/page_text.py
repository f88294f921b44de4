"""A page's template with its words. In: a template, phrases, settings. Out: HTML in one language. Next: page.py.

Needs nothing that a server needs: a page without one is made of the same templates.
"""

from __future__ import annotations

import html
import importlib.resources
import json
import re
from collections.abc import Mapping
from typing import Any

Words = Mapping[str, Mapping[str, str]]  # key -> language -> phrase
LANGUAGES = {"en": "en", "zh": "zh-CN"}  # ours -> BCP 47


def render(template: str, words: Words, settings: Mapping[str, Any], language: str) -> str:
    """The page in one language. A phrase that is missing raises KeyError at the start of the server, not later."""
    file = importlib.resources.files("tellapart.serving").joinpath("pages", template)
    text = re.sub(
        r'data-t="(\w+)">',
        lambda found: found[0] + html.escape(words[found[1]][language]),
        file.read_text(encoding="utf-8"),
    )
    text = re.sub(
        r'data-t-([\w-]+)="(\w+)"',
        lambda found: f'{found[0]} {found[1]}="{html.escape(words[found[2]][language])}"',
        text,
    )
    given = json.dumps({**settings, "words": words}, ensure_ascii=False)
    # In a script element only "<" could end or change what it is.
    return text.replace("{{settings}}", given.replace("<", "\\u003c")).replace("{{language}}", LANGUAGES[language])
