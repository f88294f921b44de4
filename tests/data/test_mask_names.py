"""What a user says of masks' values. In: the text of flags. Out: names, or the reason why not."""

from __future__ import annotations

import pytest

from tellapart.data.mask_names import read_names, read_uncounted
from tellapart.errors import SettingsError


def test_names_alone_count_from_0() -> None:
    told = read_names("background, crack")
    assert told.names == ("background", "crack")
    assert told.plain


def test_names_with_values() -> None:
    told = read_names("road=0,person=24-26,person=30,a=b=31")
    assert told.names == ("road", "person", "a=b")
    assert told.numbers == {0: "road", 24: "person", 25: "person", 26: "person", 30: "person", 31: "a=b"}
    assert read_names("sky=#4682B4,road=#000000").colours == {0x4682B4: "sky", 0: "road"}
    assert not told.plain


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,a", "names the class 'a' twice; each value needs a name of its own"),
        ("a,,b", "has a class without a name. Write names between commas"),
        ("=3", "has a class without a name"),
        ("a=x", "says 'x' of the class 'a', which is neither a number, a range such as 1-20 nor a colour"),
        ("a=1-5,b=3", "says '3' of the classes 'a' and 'b'; a value is one class"),
        ("a=1,b=#ffffff", "has numbers and colours; masks have either"),
        (",".join(f"c{number}" for number in range(255)), "names 255 classes; the limit is 254. Join some of them"),
    ],
)
def test_what_is_no_name_is_told(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"--classes {message}"):
        read_names(text)


def test_what_counts_nowhere() -> None:
    assert not read_uncounted(None).told
    nothing = read_uncounted("none")
    assert nothing.told
    assert not nothing.numbers | nothing.colours | nothing.names
    some = read_uncounted("0, 255,#e0e0c0, void,-1")
    assert (some.numbers, some.colours, some.names) == ({0, 255, -1}, {0xE0E0C0}, {"void"})
