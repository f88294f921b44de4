"""Very many pictures packed: the audit says of them what it says of the same pictures as they are."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tellapart.data.audit import audit_json
from tellapart.data.augmented import Scenes
from tellapart.data.dataset import gather
from tellapart.data.examples import Entry, Inspection, Listing, picture_file
from tellapart.data.inspection import inspect_all
from tellapart.data.packed_entries import PackedEntries, PathsOf, column_of, packed, part_of, paths_at
from tellapart.data.packed_inspections import (
    PackedInspections,
    contents_of,
    parts_of,
    perceptual_hashes_of,
    readable,
    sizes_of,
    thumbnails_of,
    unusual_of,
)
from tellapart.data.packed_inspections import part_of as inspections_at
from tellapart.data.packed_pictures import PicturesOf, pictures_at
from tellapart.data.picture_groups import PackedGroups, find_groups
from tellapart.data.survey import Examined, build_audit
from tellapart.data.targets import ClassName, ClassNames


def noise(seed: int, side: int = 40) -> Image.Image:
    grid = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Listing:
    """Twenty-four pictures of two classes: copies, near copies, a leak, one of 16 bits, one broken, one that is none, odd names."""
    folder = tmp_path_factory.mktemp("packed")
    for number in range(18):
        noise(number).save(folder / f"{number:02d} é.png")
    noise(0).save(folder / "copy of 0.bmp")
    noise(1).save(folder / "near 1.jpg", quality=80)
    noise(2, 80).save(folder / "wrong.jpg", format="PNG")
    Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40)).save(folder / "deep.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (folder / "notes").write_text("no picture")
    classes = [ClassName("a"), ClassName("b")]
    entries = tuple(
        Entry(
            path=path,
            target=classes[place % 2],
            split=(None, "train", "test")[place % 3] if place % 3 else "train",
            group="patient" if place in (4, 8) else "",
            fold=str(place % 2),
            added=place == 7,
        )
        for place, path in enumerate(sorted(folder.iterdir()))
    )
    return Listing(source=folder, entries=entries, classes=("a", "b"))


@pytest.fixture(scope="module")
def plain(listing: Listing) -> list[Inspection]:
    return list(inspect_all([entry.path for entry in listing.entries], workers=1))


@pytest.fixture(scope="module")
def packed_inspections(listing: Listing) -> PackedInspections:
    found = inspect_all(PathsOf(listing.entries), workers=1, many=1)
    assert isinstance(found, PackedInspections)
    return found


def test_entries_come_out_as_they_went_in(listing: Listing) -> None:
    entries, found = listing.entries, packed(listing.entries)
    assert isinstance(found, PackedEntries)
    assert packed(found) is found
    assert found == entries
    assert [*found, found[-1], *found[2:4]] == [*entries, entries[-1], *entries[2:4]]
    assert part_of(found, [5, 0]) == part_of(entries, [5, 0]) == (entries[5], entries[0])
    for name in ("target", "split", "group", "fold", "added"):
        assert list(column_of(found, name)) == list(column_of(entries, name))
        assert list(column_of(found, name, np.array([3, 1]))) == [getattr(entries[3], name), getattr(entries[1], name)]
    assert paths_at(found, [2, 1]) == paths_at(entries, [2, 1]) == (entries[2].path, entries[1].path)
    assert list(PathsOf(found)[3:5]) == [entry.path for entry in entries[3:5]]
    with pytest.raises(IndexError):
        found[len(entries)]


def test_entries_are_sorted_as_paths_compare() -> None:
    names = ["a b/1.png", "a/2.png", "a.png", "a/1.png", "ü/1.png", "z\udce9/1.png", "/a/1.png"]
    found = packed([Entry(path=Path(name), target=ClassName("a"), split=None) for name in names])
    assert isinstance(found, PackedEntries)
    assert [entry.path for entry in found.sorted_by_path()] == sorted(map(Path, names))
    again = found.sorted_by_path()
    assert again.sorted_by_path() is again


def test_entries_with_more_than_a_column_has_stay_as_they_are(listing: Listing) -> None:
    several = replace(listing.entries[3], target=ClassNames(names=frozenset("ab")))
    for odd in (
        several,
        replace(listing.entries[3], train_target=ClassName("b")),
    ):
        given = (*listing.entries[:3], odd, *listing.entries[4:])
        assert packed(given) == given
        assert isinstance(packed(given), tuple)


def test_inspections_come_out_as_they_went_in(plain: list[Inspection], packed_inspections: PackedInspections) -> None:
    assert packed_inspections == plain
    assert [*packed_inspections, packed_inspections[-1], *packed_inspections[2:4]] == [*plain, plain[-1], *plain[2:4]]
    assert (
        inspections_at(packed_inspections, [20, 3, 5])
        == inspections_at(plain, [20, 3, 5])
        == [plain[20], plain[3], plain[5]]
    )
    usable = readable(plain)
    assert len(usable) == len(plain) - 2
    assert np.array_equal(readable(packed_inspections), usable)
    for ask in (contents_of, perceptual_hashes_of, sizes_of):
        assert np.array_equal(ask(packed_inspections, usable), ask(plain, usable))
    assert np.array_equal(thumbnails_of(packed_inspections, usable)[:], thumbnails_of(plain, usable)[:])
    for name in ("format", "wrong_extension", "width"):
        assert list(parts_of(packed_inspections, name, usable)) == list(parts_of(plain, name, usable))
    unusual = dict(unusual_of(packed_inspections))
    assert {
        place for place, one in enumerate(plain) if one.problem or one.depth or not one.is_picture
    } == unusual.keys()
    with pytest.raises(IndexError):
        packed_inspections[len(plain)]


@pytest.mark.parametrize("pairs", [(), ((4, 6), (6, 8))])
def test_the_audit_and_the_split_are_the_same(
    listing: Listing, plain: list[Inspection], packed_inspections: PackedInspections, pairs: tuple[tuple[int, int], ...]
) -> None:
    scenes = Scenes(pairs=tuple((plain[one].content_hash, plain[other].content_hash) for one, other in pairs))
    here = build_audit(listing, plain, scenes)
    other = replace(listing, entries=packed(listing.entries))
    there = build_audit(other, packed_inspections, scenes)
    assert audit_json(there) == audit_json(here)
    assert here.near_copies
    assert here.leaks
    assert here.oddities.pictures
    assert isinstance(there.groups, PackedGroups)
    assert list(there.groups) == list(here.groups) == [there.groups[place] for place in range(len(plain))]
    assert there.groups[2:4] == list(here.groups[2:4])
    one = gather(Examined(listing=listing, inspections=plain, audit=here), seed=0)
    same = gather(Examined(listing=other, inspections=packed_inspections, audit=there), seed=0)
    assert same.examples == one.examples
    assert isinstance(same.pictures, PicturesOf)
    assert tuple(same.pictures) == one.pictures
    assert tuple(pictures_at(same.pictures, np.array([3, 1]))) == pictures_at(one.pictures, np.array([3, 1]))
    assert tuple(same.pictures[1:3]) == one.pictures[1:3]
    assert pickle.loads(pickle.dumps(same.pictures)) == one.pictures


def test_groups_join_what_shares_a_copy_or_a_name(listing: Listing, plain: list[Inspection]) -> None:
    groups = find_groups(listing.entries, plain, range(len(plain)))
    assert groups[4] == groups[8] == min(plain[4].content_hash, plain[8].content_hash)
    assert len({group for group in groups if group}) == len(readable(plain)) - 1 - 1  # and one is an exact copy
    assert picture_file(listing.entries[4], plain[4]).content_hash == plain[4].content_hash
