"""Whose language is ours. In: a language tag or a locale's name. Out: yes or no. Next: reporting/phrases.py."""

from __future__ import annotations

import re

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
