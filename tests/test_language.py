"""Who reads Simplified Chinese. In: tags and locales. Out: yes or no."""

from __future__ import annotations

import pytest

from tellapart.language import is_simplified_chinese


@pytest.mark.parametrize(
    ("name", "simplified"),
    [
        ("zh", True),
        ("ZH", True),
        ("zh-CN", True),
        ("zh_CN.UTF-8", True),
        ("zh_SG", True),
        ("zh:en", True),
        ("zh-Hans", True),
        ("zh-Hans-HK", True),
        ("Chinese (Simplified)_China", True),
        ("Chinese_China", True),
        ("zh-TW", False),
        ("zh_TW.Big5", False),
        ("zh-HK", False),
        ("zh-MO", False),
        ("zh-Hant", False),
        ("zh-Hant-CN", False),
        ("Chinese (Traditional)_Hong Kong SAR", False),
        ("Chinese_Taiwan", False),
        ("zha", False),
        ("en-ZH", False),
        ("", False),
    ],
)
def test_simplified_chinese(name: str, simplified: bool) -> None:
    assert is_simplified_chinese(name) == simplified
