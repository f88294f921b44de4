"""What sheets say, in the language of the screen. In: the fonts here. Out: what turns a sentence into it. Next: speaking.py."""

from __future__ import annotations

from tellapart.cli.speaking import said, said_word, speaks_chinese
from tellapart.drawing.lettering import Say, can_write
from tellapart.reporter import Reporter

_SAMPLE = "图片训练验证"


def said_of_sheets(text: str) -> str:
    """A sentence, or a word that stands alone."""
    word = said_word(text)
    return said(text) if word == text else word


def said_on_sheets(reporter: Reporter) -> Say:
    """Chinese where the screen speaks it and a font here has its letters; else English, and `reporter` hears why."""
    if not speaks_chinese():
        return str
    if can_write(_SAMPLE):
        return said_of_sheets
    reporter.warn(
        "no font here has Chinese letters, so what is drawn speaks English. Install one, such as fonts-noto-cjk or "
        "fonts-wqy-zenhei."
    )
    return str
