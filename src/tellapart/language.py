"""Whose language is ours. In: a language tag, the environment. Out: en or zh. Next: reporting/phrases.py."""

from __future__ import annotations

import locale
import os
import re
from collections.abc import Mapping
from typing import Literal

OwnLanguage = Literal["en", "zh"]

VARIABLE = "TELLAPART_LANG"  # wins over the system's locale

# Taiwan, Hong Kong and Macao write Traditional characters, unless the tag names a script (RFC 5646, 2.2.3).
_TRADITIONAL = {"hant", "tw", "hk", "mo", "traditional", "taiwan", "hong", "macao", "macau"}


def is_simplified_chinese(name: str) -> bool:
    """Whether `name` means Chinese in Simplified characters: zh, zh-CN, zh_SG.UTF-8, zh-Hans-TW, Chinese (Simplified)_China.

    Who reads Traditional characters gets English rather than what looks wrong to them.
    """
    first, *rest = re.split(r"[^a-z0-9]+", name.lower().partition(".")[0])
    if first not in ("zh", "chinese"):
        return False
    return bool({"hans", "simplified"} & set(rest)) or not _TRADITIONAL & set(rest)


def system_language(environment: Mapping[str, str] | None = None) -> OwnLanguage:
    """The language of who sits there: TELLAPART_LANG, or the system's locale; Chinese where that is Simplified, else English."""
    for name in (VARIABLE, "LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        value = (os.environ if environment is None else environment).get(name)
        if value:
            return "zh" if is_simplified_chinese(value) else "en"
    # On Windows and macOS a program often has none of these.
    return "zh" if is_simplified_chinese(locale.getlocale()[0] or "") else "en"
