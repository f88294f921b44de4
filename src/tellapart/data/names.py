"""Class names that are nearly the same. In: names, Listing. Out: groups, a Listing with them joined. Next: audit.py.

Cat and cat, "disc " and "disc", hot-dog and hot_dog, full-width and plain letters, names with an invisible character or a letter of
another script that looks the same, 0.0 and 0, 007 and 7.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tellapart.data.examples import Listing, known_classes

IN_TWO_LANGUAGES = " · "  # between the names that one class has
_WHOLE = re.compile(r"([+-]?)0*(\d+)(?:\.0+)?")
_JOINT = re.compile(r"(?<=\w)[\s_\-\u2010-\u2015]+(?=\w)")  # what stands between two words
_SELECTORS = re.compile("[\ufe00-\ufe0f]")  # how an emoji is drawn
# Cyrillic letters that look like Latin ones: between Latin ones they were typed by mistake.
_LOOK_ALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0455\u0458", "aeopcyxisj"
) | str.maketrans("\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406", "ABEKMHOPCTYXI")
_NO_VALUE = frozenset(("nan", "none", "null", "n/a", "na", "#n/a", "<na>", "nat", "undefined", "missing"))


def folded(name: str) -> str:
    """What names that are nearly the same have in common: compatible forms, case, blanks, hyphens and what is not seen apart."""
    text = unicodedata.normalize("NFKC", name)
    visible = "".join(character for character in _SELECTORS.sub("", text) if unicodedata.category(character) != "Cf")
    if _is_of_two_scripts(visible):
        visible = visible.translate(_LOOK_ALIKES)
    small = visible.casefold().replace("i\u0307", "i")  # the Turkish large I with its dot
    plain = _JOINT.sub(" ", small.strip())
    whole = _WHOLE.fullmatch(plain)
    return whole[1] + whole[2] if whole else plain


def _is_of_two_scripts(name: str) -> bool:
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in name if letter.isalpha()}
    return not name.isascii() and {"LATIN", "CYRILLIC"} <= scripts


def alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The names that differ only so, in groups of two and more, sorted."""
    groups: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        groups.setdefault(folded(name), []).append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def name_warnings(classes: Iterable[str]) -> Iterator[str]:
    """What is doubtful about the names of classes, a sentence or two each."""
    listed = list(classes)
    groups = alike(listed)
    if groups:
        first = "; ".join(" and ".join(map(shown, group)) for group in groups[:3])
        more = f" and {len(groups) - 3:,} more groups" if len(groups) > 3 else ""
        yield (
            f"class names that are nearly the same: {first}{more}. They differ only in case, blanks, hyphens, zeros or how a "
            "character is stored; --merge-names makes one class of each group."
        )
    empty = [name for name in listed if folded(name) in _NO_VALUE]
    if empty:
        some = len(empty) > 1
        yield (
            f"the class{'es' * some} {' and '.join(map(repr, empty))} {'are' if some else 'is'} what programs write where a value "
            f"is missing. Leave {'their' if some else 'its'} pictures out, or rename {'them' if some else 'it'} if "
            f"{'they are classes' if some else 'it is a class'}."
        )


def shown(name: str) -> str:
    """A name between quotes, with what cannot be seen, or looks like something else, as its number."""
    odd = unicodedata.normalize("NFKC", name) != name or not name.isprintable() or _SELECTORS.search(name)
    return ascii(name) if odd or _is_of_two_scripts(name) else repr(name)


def merge_names(listing: Listing) -> Listing:
    """The listing with one class for each group of names that are nearly the same, called as most of its pictures have it.

    Where a set has a class under one name and does not know it under another, it has it.
    """
    counts = Counter(name for entry in listing.entries for name in known_classes([entry.target]))
    mapping = {name: max(sorted(group), key=counts.__getitem__) for group in alike(listing.classes) for name in group}
    changed = {name: kept for name, kept in sorted(mapping.items()) if name != kept}
    if not changed:
        return listing
    told = ", ".join(f"{shown(name)} as {shown(kept)}" for name, kept in changed.items())
    found = renamed(listing, changed)
    return replace(
        found, notes=(*found.notes, f"{listing.source}: names that are nearly the same are read as one: {told}.")
    )


def stored_twice(written: Iterable[str]) -> str:
    """A word on names that are the same but for how letters with marks are stored, "" where there are none.

    They are one class: a file system or an editor chose how, not the person who named it.
    """
    forms = Counter(unicodedata.normalize("NFC", name) for name in set(written))
    twice = sorted(name for name, number in forms.items() if number > 1)
    if not twice:
        return ""
    more = f" and {len(twice) - 1:,} more" if len(twice) > 1 else ""
    return f"{twice[0]!r}{more} is written in two ways that look the same (Unicode's NFC and NFD), and makes one class"


def without_blanks(listing: Listing) -> Listing:
    """The listing with class names without blanks at their ends, as cells of a table have them; those that meet so are told."""
    mapping = {name: name.strip() for name in listing.classes if name.strip() not in ("", name)}
    if not mapping:
        return listing
    met = sorted(
        kept for kept, number in Counter(mapping.get(name, name) for name in listing.classes).items() if number > 1
    )
    note = f"{listing.source}: several folders are called {met[0]!r} but for blanks, and make one class." if met else ""
    found = renamed(listing, mapping)
    return replace(found, merged=listing.merged, notes=(*listing.notes, note) if note else listing.notes)


def renamed(listing: Listing, mapping: Mapping[str, str]) -> Listing:
    """The listing with other names for some classes, which it keeps as `merged`."""
    entries = tuple(replace(entry, target=entry.target.renamed(mapping)) for entry in listing.entries)
    classes = tuple(sorted({mapping.get(name, name) for name in listing.classes}))
    return replace(listing, entries=entries, classes=classes, merged={**listing.merged, **mapping})


def known_as(names: Iterable[str], classes: Iterable[str], merged: Mapping[str, str]) -> dict[str, str]:
    """Names that are none of the classes -> the one class that each is nearly the same as, or was part of in training.

    A class with a name in two languages is known by either: Egyptian cat · 埃及猫.
    """
    known, found = set(classes), dict[str, str]()
    by_form: dict[str, list[str]] = {}
    for one in known:
        for name in {one, *one.split(IN_TWO_LANGUAGES)}:
            by_form.setdefault(folded(name), []).append(one)
    for name in set(names) - known:
        near = [merged[name]] if name in merged else by_form.get(folded(name), [])
        if len(near) == 1 and near[0] in known:
            found[name] = near[0]
    return dict(sorted(found.items()))
