"""The audit of hand-made listings: every kind of finding, its words, and what stops a training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets
from PIL import Image

from tellapart.data.audit import Audit, audit_json, build_audit, check_strict, check_trainable, findings
from tellapart.data.augmented import Scenes
from tellapart.data.examples import SPLITS, Entry, Inspection, Listing, Split
from tellapart.data.targets import ClassName
from tellapart.errors import DataError

Item = tuple[Entry, Inspection]


def item(
    name: str,
    label: str,
    *,
    content: str | None = None,
    split: Split | None = None,
    group: str = "",
    problem: str = "",
    is_picture: bool = True,
    size: tuple[int, int] = (400, 300),
    image_format: str = "JPEG",
    mode: str = "RGB",
    wrong_extension: bool = False,
    turned: bool = False,
) -> Item:
    """A listed file and what was seen in it; pictures of equal `content` are exact copies, all others differ."""
    digest = hashlib.sha256((name if content is None else content).encode()).hexdigest()
    entry = Entry(path=Path(name), target=ClassName(label), split=split, group=group)
    if problem:
        return entry, Inspection(file_hash=digest, problem=problem, is_picture=is_picture)
    noise = np.random.default_rng(int(digest[:8], 16)).integers(0, 256, (32, 32), dtype=np.uint8)
    return entry, Inspection(
        file_hash=digest,
        content_hash=digest[:32],
        perceptual_hash=int(digest[32:48], 16),
        thumbnail=noise.tobytes(),
        width=size[0],
        height=size[1],
        format=image_format,
        mode=mode,
        wrong_extension=wrong_extension,
        turned=turned,
    )


def many(label: str, number: int, *, split: Split | None = None) -> list[Item]:
    return [item(f"{split}/{label}/{index}.jpg", label, split=split) for index in range(number)]


def audited(
    items: Sequence[Item],
    *,
    classes: tuple[str, ...] = (),
    ignored: dict[str, int] | None = None,
    scenes: Scenes | None = None,
) -> Audit:
    entries = tuple(entry for entry, _ in items)
    found = classes or tuple(sorted({entry.target.text for entry in entries}))
    listing = Listing(source=Path("pictures"), entries=entries, classes=found, ignored=ignored or {})
    return build_audit(listing, [inspection for _, inspection in items], scenes)


def messages(audit: Audit, severity: str) -> list[str]:
    return [finding.message for finding in findings(audit) if finding.severity == severity]


CLEAN = [*many("cat", 25), *many("dog", 30)]


def test_a_clean_data_set_has_no_findings() -> None:
    audit = audited(CLEAN)
    assert findings(audit) == []
    check_trainable(audit)
    check_strict(audit)
    assert audit.classes == ("cat", "dog")
    assert audit.pictures == 55
    assert audit.counts == {"": {"cat": 25, "dog": 30}}
    assert audit.distinct == {"cat": 25, "dog": 30}
    assert audit.totals == {"cat": 25, "dog": 30}
    assert audit.imbalance == pytest.approx(1.2)
    assert audit.duplicates == 0
    assert len(set(audit.groups)) == 55
    assert audit.leaked_indices == ()


def test_counts_go_by_split_and_class_and_leave_out_what_is_unreadable() -> None:
    items = [*many("cat", 3, split="train"), *many("dog", 2, split="train"), *many("cat", 1, split="test")]
    items.append(item("broken.jpg", "dog", split="validation", problem="empty file"))
    audit = audited([*items, item("loose.jpg", "dog")])
    assert list(audit.counts) == ["", "train", "validation", "test"]
    assert audit.counts == {
        "": {"cat": 0, "dog": 1},
        "train": {"cat": 3, "dog": 2},
        "validation": {"cat": 0, "dog": 0},
        "test": {"cat": 1, "dog": 0},
    }
    assert audit.totals == {"cat": 4, "dog": 3}


def test_sizes_formats_and_modes_are_told() -> None:
    sizes = [(10, 50), (20, 40), (20, 40), (90, 30)]
    items = [item(f"{index}.jpg", "cat", size=size) for index, size in enumerate(sizes)]
    items.append(item("5.png", "dog", size=(30, 30), image_format="PNG", mode="L"))
    audit = audited(items)
    assert audit.sizes.distinct == 4
    assert (audit.sizes.least_width, audit.sizes.median_width, audit.sizes.most_width) == (10, 20, 90)
    assert (audit.sizes.least_height, audit.sizes.median_height, audit.sizes.most_height) == (30, 40, 50)
    assert list(audit.formats.items()) == [("JPEG", 4), ("PNG", 1)]
    assert list(audit.modes.items()) == [("RGB", 4), ("L", 1)]


def test_wrong_extensions_are_noted() -> None:
    audit = audited([*CLEAN, item("cat/x.jpg", "cat", wrong_extension=True, image_format="PNG")])
    assert audit.wrong_extensions == (Path("cat/x.jpg"),)
    assert messages(audit, "note") == [
        "extension of another format: 1 picture, such as cat/x.jpg; the content decides."
    ]


def test_pictures_that_were_stored_sideways_are_listed() -> None:
    audit = audited([*CLEAN, item("cat/x.jpg", "cat", turned=True)])
    assert audit.turned == (Path("cat/x.jpg"),)
    assert audit_json(audit)["turned"] == ["cat/x.jpg"]


def test_unreadable_pictures_are_warned_of_and_stop_a_strict_run() -> None:
    bad = [item(f"cat/{index}.jpg", "cat", problem=f"damaged ({index})") for index in range(7)]
    audit = audited([*CLEAN, *bad])
    assert audit.unreadable[6] == (Path("cat/6.jpg"), "damaged (6)")
    assert messages(audit, "warning") == [
        (
            "set aside because unreadable: 7 pictures, such as cat/0.jpg (damaged (0)). "
            "Repair or remove them; --strict makes this an error."
        )
    ]
    check_trainable(audit)
    with pytest.raises(DataError) as caught:
        check_strict(audit)
    assert str(caught.value).splitlines() == [
        "unreadable: 7 pictures; --strict allows none. Repair or remove them, or leave --strict out:",
        *(f"  cat/{index}.jpg: damaged ({index})" for index in range(5)),
        "  ... and 2 more",
    ]
    with pytest.raises(DataError, match=r"(?s)^unreadable: 1 picture; .*\n  cat/0\.jpg: damaged \(0\)$"):
        check_strict(audited([*CLEAN, bad[0]]))


def test_files_that_are_no_pictures_are_only_counted() -> None:
    stray = item("cat/notes.txt", "cat", problem="not a picture in a known format", is_picture=False)
    audit = audited([*CLEAN, stray], ignored={"hidden file": 1200})
    assert audit.unreadable == ()
    assert audit.ignored == {"hidden file": 1200, "not a picture": 1}
    assert messages(audit, "note") == ["left out: hidden file (1,200), not a picture (1)."]
    check_strict(audit)


def test_exact_copies_are_counted_and_share_a_group() -> None:
    copies = [item(f"cat/copy{index}.jpg", "cat", content="same") for index in range(3)]
    audit = audited([*CLEAN, *copies])
    assert audit.duplicates == 2
    assert audit.exact_copies == (tuple(entry.path for entry, _ in copies),)
    assert audit.distinct["cat"] == 26
    assert audit.totals["cat"] == 28
    assert set(audit.groups[-3:]) == {copies[0][1].content_hash}
    assert messages(audit, "note") == [
        (
            "exact copies of another picture: 2, such as cat/copy0.jpg = cat/copy1.jpg and 1 more; "
            "a split that tellapart makes keeps them together; they can be removed."
        )
    ]


def near_copy() -> list[Item]:
    """A photograph and a slightly darker one."""
    image = Image.fromarray(sklearn.datasets.load_sample_images().images[0]).convert("L")
    pixels = np.asarray(image.resize((32, 32), Image.Resampling.BILINEAR))
    first, second = item("cat/bright.jpg", "cat"), item("dog/dark.jpg", "dog")
    return [
        (entry, replace(inspection, thumbnail=(pixels * factor).astype(np.uint8).tobytes(), perceptual_hash=77))
        for (entry, inspection), factor in ((first, 1.0), (second, 0.9))
    ]


def test_near_copies_share_a_group_and_are_noted() -> None:
    audit = audited([*CLEAN, *near_copy()])
    assert audit.near_copies == ((Path("cat/bright.jpg"), Path("dog/dark.jpg")),)
    assert audit.exact_copies == ()
    assert audit.duplicates == 0
    assert audit.groups[-1] == audit.groups[-2] == min(i.content_hash for _, i in near_copy())
    assert messages(audit, "note") == [
        (
            "near-copies: 2 pictures in 1 cluster, such as cat/bright.jpg = dog/dark.jpg; "
            "a split that tellapart makes keeps each cluster together."
        )
    ]


def test_one_picture_under_two_labels_is_loud() -> None:
    copies = [item("cat/a.jpg", "cat", content="same"), item("dog/b.jpg", "dog", content="same")]
    audit = audited([*CLEAN, *copies, *near_copy()])
    exact, near = sorted(audit.two_labels, key=lambda conflict: not conflict.exact)
    assert exact.paths == (Path("cat/a.jpg"), Path("dog/b.jpg"))
    assert exact.labels == ("cat", "dog")
    assert exact.exact
    assert not near.exact
    assert messages(audit, "warning") == [
        (
            "TWO LABELS: exactly the same picture stands under different labels (1 cluster), such as cat/a.jpg = dog/b.jpg "
            "(cat, dog). Only one can be right; correct or remove the others."
        ),
        (
            "TWO LABELS: nearly the same picture stands under different labels (1 cluster), such as cat/bright.jpg = "
            "dog/dark.jpg (cat, dog). Check which is right, and correct or remove the others."
        ),
    ]


def test_copies_of_one_label_are_no_conflict() -> None:
    assert audited([*CLEAN, *(item(f"cat/{n}", "cat", content="same") for n in range(2))]).two_labels == ()


GIVEN = [*many("cat", 25, split="train"), *many("dog", 25, split="train")]
GIVEN += [*many("cat", 5, split="test"), *many("dog", 5, split="test")]


def test_copies_across_the_given_splits_are_loud() -> None:
    leaking = [
        item("train/cat/a.jpg", "cat", content="same", split="train"),
        item("test/cat/b.jpg", "cat", content="same", split="test"),
        item("test/cat/c.jpg", "cat", content="same", split="test"),
    ]
    audit = audited([*GIVEN, *leaking])
    (leak,) = audit.leaks
    assert leak.paths == tuple(entry.path for entry, _ in leaking)
    assert leak.splits == ("train", "test", "test")
    assert audit.leaked_indices == (61, 62)
    assert messages(audit, "warning")[0] == (
        "LEAK: your own splits separate copies or grouped pictures (1 cluster; train and test), such as train/cat/a.jpg = "
        "test/cat/b.jpg and 1 more. The test score is too good by what is known of 2 test pictures, so it is reported "
        "with and without; better move each cluster into one split."
    )
    check_trainable(audit)


def test_a_leak_into_validation_leaves_the_test_score_alone() -> None:
    leaking = [item(f"{split}.jpg", "cat", content="same", split=split) for split in SPLITS[:2]]
    audit = audited([*GIVEN, *leaking])
    assert audit.leaked_indices == ()
    assert messages(audit, "warning")[0] == (
        "LEAK: your own splits separate copies or grouped pictures (1 cluster; train and validation), such as train.jpg = "
        "validation.jpg. The validation score becomes too good; move each cluster into one split."
    )


def test_a_group_across_the_given_splits_is_a_leak() -> None:
    leaking = [
        item("a.jpg", "cat", split="train", group="patient 1"),
        item("b.jpg", "cat", split="test", group="patient 1"),
        item("c.jpg", "cat", split="test", group="patient 2"),
    ]
    audit = audited([*GIVEN, *leaking])
    assert audit.leaked_indices == (61,)
    assert audit.leaks[0].paths == (Path("a.jpg"), Path("b.jpg"))


def test_pictures_without_a_split_count_as_trained_on_beside_given_ones() -> None:
    leaking = [item("a.jpg", "cat", content="same"), item("b.jpg", "cat", content="same", split="test")]
    audit = audited([*GIVEN, *leaking])
    assert audit.leaked_indices == (61,)
    assert audit.leaks[0].splits == ("", "test")
    assert "(1 cluster; not given and test)" in messages(audit, "warning")[0]
    trained = [item("a.jpg", "cat", content="same"), item("b.jpg", "cat", content="same", split="train")]
    assert audited([*GIVEN, *trained]).leaks == ()


def test_copies_within_a_split_or_without_splits_do_not_leak() -> None:
    same = [item(f"{n}.jpg", "cat", content="same", split="test") for n in range(2)]
    assert audited([*GIVEN, *same]).leaks == ()
    unsplit = audited([*CLEAN, *(item(f"{n}.jpg", "cat", content="same", group="g") for n in range(2))])
    assert (unsplit.leaks, unsplit.leaked_indices) == ((), ())


def test_groups_join_copies_and_the_users_groups() -> None:
    items = [
        item("a.jpg", "cat", content="one", group="g1"),
        item("b.jpg", "cat", content="one"),
        item("c.jpg", "cat", content="two", group="g1"),
        item("d.jpg", "dog", content="two", group="g2"),
        item("e.jpg", "dog", content="three", group="g2"),
        item("f.jpg", "dog", content="four"),
        item("g.jpg", "dog", problem="empty file", group="g1"),
    ]
    audit = audited(items)
    contents = [inspection.content_hash for _, inspection in items]
    assert audit.groups == (*[min(contents[:5])] * 5, contents[5], "")
    backwards = audited(items[::-1])
    assert backwards.groups == audit.groups[::-1]


def test_pictures_with_an_empty_group_are_not_grouped() -> None:
    audit = audited(CLEAN)
    assert len(set(audit.groups)) == len(CLEAN)


def test_a_split_without_a_class_is_only_warned_of() -> None:
    audit = audited([*many("cat", 25, split="train"), *many("dog", 25, split="train"), *many("cat", 5, split="test")])
    assert messages(audit, "warning") == [
        (
            "your test split has no pictures of 'dog'; every class should be in it. "
            "Add some, or give no splits and let tellapart make them."
        )
    ]
    check_trainable(audit)


def test_small_classes_are_warned_of() -> None:
    copies = [item(f"ox/copy{index}.jpg", "ox", content="same") for index in range(18)]
    audit = audited([*CLEAN, *many("ox", 4), *copies, *many("elk", 19), *many("fox", 20)])
    assert messages(audit, "warning") == [
        (
            "classes 'ox' has 5, 'elk' has 19: fewer different pictures than 20, so the scores of these classes will be "
            "uncertain. Add pictures."
        )
    ]
    check_trainable(audit)


def test_imbalance_is_warned_of_over_five() -> None:
    assert messages(audited([*many("cat", 20), *many("dog", 100)]), "warning") == []
    audit = audited([*many("cat", 20), *many("dog", 101)])
    assert messages(audit, "warning") == [
        (
            "the largest class has 5.0 times as many pictures as the smallest; over 5 the small ones are easily overlooked. "
            "Add pictures of them, or train with --class-weights balanced."
        )
    ]


# --- what stops a training --------------------------------------------------------------------------------------------


def refused(audit: Audit) -> str:
    with pytest.raises(DataError) as caught:
        check_trainable(audit)
    assert messages(audit, "error")[0] == str(caught.value)
    return str(caught.value)


def test_nothing_readable_stops_a_training_with_the_first_reason() -> None:
    bad = [item("cat/a.jpg", "cat", problem="empty file"), item("dog/b.jpg", "dog", problem="damaged")]
    assert refused(audited(bad)) == (
        "none of the 2 pictures in pictures can be read; the first, cat/a.jpg, because: empty file. "
        "Check that they are pictures in a known format."
    )
    stray = item("cat/notes.txt", "cat", problem="not a picture", is_picture=False)
    assert refused(audited([stray])) == (
        "pictures holds no picture that can be read. Add pictures as CLASS/picture.jpg."
    )


def test_one_class_stops_a_training() -> None:
    assert refused(audited(many("cat", 30))) == (
        "pictures has only one class, 'cat'; telling apart needs two. "
        "Add pictures of another class, in a folder (or with a label) of their own."
    )


def test_a_class_that_is_too_small_stops_a_training() -> None:
    copies = [item(f"ox/copy{index}.jpg", "ox", content="same") for index in range(30)]
    assert refused(audited([*CLEAN, *copies])) == (
        "class 'ox' has 1: fewer different pictures than 3, which train, validation and test need (copies, and "
        "pictures of one group, count once). "
        "Add pictures of these classes, or remove the classes."
    )
    audit = audited([*CLEAN, *many("ox", 2)], classes=("cat", "dog", "elk", "ox"))
    assert refused(audit).startswith("classes 'elk' has 0, 'ox' has 2: fewer different pictures than 3")
    letters = [found for label in "abcdefg" for found in many(label, 1)]
    assert "'e' has 1 and 2 more: fewer" in refused(audited(letters))


def test_errors_come_first_then_warnings_then_notes() -> None:
    copies = [item(f"{split}.jpg", "cat", content="same", split=split) for split in (SPLITS[0], SPLITS[2])]
    audit = audited([*many("cat", 5, split="train"), *many("dog", 1, split="train"), *copies])
    severities = [finding.severity for finding in findings(audit)]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert set(severities) == {"error", "warning", "note"}
    assert messages(audit, "warning")[0].startswith("LEAK: ")


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_the_audit_as_json_is_whole() -> None:
    items = [*GIVEN, item("猫/破 损.jpg", "cat", split="test", problem="damaged")]
    items += [item(f"train/{label}/a.jpg", label, content="same", split="train") for label in ("cat", "dog")]
    items += [item(f"test/cat/{index}.jpg", "cat", content="same", split="test") for index in range(20)]
    record = json.loads(json.dumps(audit_json(audited(items, ignored={"hidden file": 2}))))
    assert list(record) == [
        "source",
        "classes",
        "pictures",
        "counts",
        "distinct",
        "imbalance",
        "sizes",
        "formats",
        "modes",
        "wrong_extensions",
        "turned",
        "unreadable",
        "ignored",
        "duplicates",
        "exact_copies",
        "near_copies",
        "augmented_copies",
        "augmented",
        "uncompared",
        "two_labels",
        "leaks",
        "leaked",
        "notes",
        "findings",
        "odd",
        "elongated",
        "profiles",
        "broken_profiles",
        "bands",
    ]
    assert record["source"] == "pictures"
    assert record["counts"]["train"] == {"cat": 26, "dog": 26}
    assert record["unreadable"] == [{"path": "猫/破 损.jpg", "reason": "damaged"}]
    assert record["ignored"] == {"hidden file": 2}
    assert record["duplicates"] == 21
    assert len(record["exact_copies"]) == 1
    assert len(record["exact_copies"][0]) == 22
    assert record["two_labels"][0]["labels"][:2] == ["cat", "dog"]
    assert record["two_labels"][0]["exact"] is True
    assert record["leaks"][0]["splits"] == ["train"] * 2 + ["test"] * 20
    assert record["leaked"] == 20
    assert record["sizes"]["distinct"] == 1
    assert record["imbalance"] == pytest.approx(51 / 31, abs=1e-3)
    assert record["findings"][0]["severity"] == "warning"


def test_an_audit_of_nothing_can_be_written() -> None:
    audit = audited([], classes=("cat",))
    assert json.loads(json.dumps(audit_json(audit)))["pictures"] == 0
    assert audit.imbalance == 1.0
    assert refused(audit).startswith("pictures holds no picture")


def of_one_scene(items: Sequence[Item]) -> Scenes:
    """The second and all later ones are augmented copies of the first."""
    contents = [inspection.content_hash for _, inspection in items]
    return Scenes(pairs=tuple((contents[0], other) for other in contents[1:]))


def test_augmented_copies_are_counted_apart_and_stay_together() -> None:
    varied = [item(name, "cat") for name in ("cat/original.jpg", "cat/turned.jpg", "cat/flipped.jpg")]
    audit = audited([*CLEAN, *varied], scenes=of_one_scene(varied))
    assert audit.augmented_copies == (tuple(Path(f"cat/{name}.jpg") for name in ("original", "turned", "flipped")),)
    assert audit.augmented_indices == {len(CLEAN) + 1, len(CLEAN) + 2}
    assert audit.near_copies == audit.exact_copies == ()
    assert len(set(audit.groups[len(CLEAN) :])) == 1
    assert audit.distinct["cat"] == 26
    assert messages(audit, "note") == [
        (
            "augmented copies (the same picture turned, moved, cropped, mirrored or recoloured): 2 pictures of 1 original, "
            "such as cat/original.jpg = cat/turned.jpg and 1 more; a split that tellapart makes keeps them together and tests "
            "on the original alone. Which one that is, is told by what they show; better split first and augment later."
        )
    ]
    record = audit_json(audit)
    assert record["augmented"] == 2
    assert record["augmented_copies"] == [["cat/original.jpg", "cat/turned.jpg", "cat/flipped.jpg"]]
    unknown = audit_json(audited(CLEAN))
    assert unknown["augmented_copies"] is unknown["augmented"] is None
    assert audit_json(audited(CLEAN, scenes=Scenes(pairs=())))["augmented"] == 0


def test_pictures_too_small_to_be_compared_are_told() -> None:
    small = [item("cat/small.png", "cat", size=(28, 28)), item("cat/strip.png", "cat", size=(900, 100))]
    items = [*CLEAN, *small]
    audit = audited(items, scenes=Scenes(pairs=()))
    assert audit_json(audit)["uncompared"] == [str(Path("cat/small.png")), str(Path("cat/strip.png"))]
    told = [message for message in messages(audit, "note") if message.startswith("not looked at for augmented copies")]
    assert told == [
        (
            "not looked at for augmented copies: 2 pictures under 64 pixels or longer than 4 to 1, such as cat/small.png; "
            "there too little is left to tell a copy from a picture of the same kind. If you varied pictures before, give each "
            "and its copies one group in a table."
        )
    ]
    assert audited(items).uncompared == ()  # nobody looked, so nothing was passed over


def test_augmented_copies_under_two_labels_and_across_splits_are_told() -> None:
    varied = [item("train/cat/one.jpg", "cat", split="train"), item("test/dog/turned.jpg", "dog", split="test")]
    audit = audited([*GIVEN, *varied], scenes=of_one_scene(varied))
    assert [conflict.labels for conflict in audit.two_labels] == [("cat", "dog")]
    assert audit.two_labels[0].exact is False
    assert [leak.splits for leak in audit.leaks] == [("train", "test")]
    assert audit.leaked_indices == (len(GIVEN) + 1,)
