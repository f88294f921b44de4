"""A line of Chinese that goes on in the next one has no blank between. In: a page's Markdown. Out: the same in longer lines.

Next: mkdocs.yml. Between Chinese characters nobody writes blanks, and a browser makes one of a line's end.
"""

from __future__ import annotations

import re
from typing import Any

_CHINESE = "[⺀-鿿＀-￯　-〿—…“”]"
_FENCE = re.compile(r"^ *(```|~~~)")
_BEGINS = re.compile(r"^\s*([-*+#>|]|\d+[.)]\s|$)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """What MkDocs calls with each page."""
    lines: list[str] = []
    fenced = False
    for line in markdown.split("\n"):
        fence = _FENCE.match(line) is not None
        fenced ^= fence
        goes_on = bool(lines) and not (fenced or fence or _BEGINS.match(line) or lines[-1].endswith("  "))
        if goes_on and re.search(f"{_CHINESE}$", lines[-1]) and re.match(rf"\s*{_CHINESE}", line):
            lines[-1] += line.lstrip()
        else:
            lines.append(line)
    return "\n".join(lines)
