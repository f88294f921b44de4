"""A space is checked before any trial. In: spaces. Out: the same with types, or a sentence that names the key."""

from __future__ import annotations

from typing import Any

import pytest

from tellapart.errors import SettingsError
from tellapart.settings.space import TriedRange, TriedValues, parse_try
from tellapart.settings.space_checking import all_combinations, checked_space, not_given, settings_with, strategy_for
from tellapart.settings.tree import TrainSettings

GIVEN = {"data": "x", "strategy": "finetune"}


def check(*tries: str, given: dict[str, Any] | None = None) -> Any:
    space = dict(parse_try(text) for text in tries)
    return checked_space(space, GIVEN if given is None else given, accept=lambda settings: settings)


def test_whole_settings_have_whole_ranges() -> None:
    space = check("loop.epochs=2:9", "loop.weight_decay=0:1")
    assert space["loop.epochs"] == TriedRange(low=2, high=9, whole=True)
    assert space["loop.weight_decay"] == TriedRange(low=0, high=1)


def test_a_grid_has_every_combination_once() -> None:
    space = check("loop.learning_rate=1e-3,1e-2", "network.dense.units=32,64,128")
    grid = all_combinations(space)
    assert grid[:4] == [
        {"loop.learning_rate": 1e-3, "network.dense.units": 32},
        {"loop.learning_rate": 1e-3, "network.dense.units": 64},
        {"loop.learning_rate": 1e-3, "network.dense.units": 128},
        {"loop.learning_rate": 1e-2, "network.dense.units": 32},
    ]
    assert len(grid) == 6
    settings = settings_with(GIVEN, grid[2])
    assert (settings.loop.learning_rate, [one.units for one in settings.network.dense]) == (1e-3, [128])


def test_what_leads_through_a_list_is_said_of_all_its_parts_or_of_one() -> None:
    given = {"data": "x", "strategy": "scratch", "network": {"blocks": [{"filters": 8}, {"filters": 16, "stride": 2}]}}
    every = settings_with(given, {"network.blocks.filters": 4}).network.blocks
    assert [(one.filters, one.stride) for one in every] == [(4, 1), (4, 2)]  # type: ignore[attr-defined]
    second = settings_with(given, {"network.blocks.1.filters": 4}).network.blocks
    assert [one.filters for one in second] == [8, 4]  # type: ignore[attr-defined]
    with pytest.raises(
        SettingsError, match=r"blocks has 2 parts, and part 3 \(counted from 0\) was named. Name one of them."
    ):
        settings_with(given, {"network.blocks.3.filters": 4})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loop.learning_rat=1,2", "there is no setting 'loop.learning_rat'. Did you mean 'learning_rate'?"),
        ("loop=1,2", "loop is a table of settings, and one of them is to be named, such as loop.epochs."),
        ("loop.epochs.more=1,2", "there is no setting 'loop.epochs.more': loop.epochs has no settings in it."),
        ("loop.epochs=0,3", "loop.epochs is 0; it must be at least 1."),
        ("loop.learning_rate=1e-3:11", "loop.learning_rate is 11.0; it must be at most 10."),
        ("loop.epochs=1.5:3", "loop.epochs is a whole number, and its range goes from 1.5 to 3. Give whole ends."),
        ("loop.optimizer=1:3", "loop.optimizer is no number, and a range was given. Name its values"),
        ("loop.optimizer=adamw,sdg", "Did you mean 'sgd'?"),
        ("seed=1,2", "seed cannot be searched: it says what is compared or where, not how it is learned."),
        ("reading.root=a,b", "reading.root cannot be searched"),
        ("network.blocks.filters=8,16", "network.blocks is set, which --strategy finetune does not use."),
    ],
)
def test_wrong_keys_and_values_are_refused(text: str, words: str) -> None:
    with pytest.raises(SettingsError) as failed:
        check(text)
    assert words in str(failed.value)


def test_an_empty_space_is_none() -> None:
    with pytest.raises(SettingsError, match="there is nothing to search. Name settings to try with --try KEY=a,b,c"):
        check()


def test_a_value_that_does_beside_another_searched_one_is_taken() -> None:
    given = {"data": "x", "task": "detection"}
    assert set(check("network.fit=tile,pad", "network.overlap=16,32", given=given)) == {
        "network.fit",
        "network.overlap",
    }
    with pytest.raises(SettingsError, match="network.overlap is 16, which is of tiles"):
        check("network.overlap=16,32", given=given)


def test_what_the_task_has_no_use_for_is_refused() -> None:
    def accept(settings: TrainSettings) -> None:
        if settings.network.detector:
            raise SettingsError("not for these pictures")

    with pytest.raises(SettingsError, match="not for these pictures"):
        checked_space(dict([parse_try("network.detector=ssd,yolox")]), {"data": "x"}, accept=accept)


def test_a_grid_of_a_range_or_far_too_many_is_refused() -> None:
    with pytest.raises(
        SettingsError, match="loop.weight_decay is a range, which a grid cannot try to its end. Name its values"
    ):
        all_combinations(check("loop.weight_decay=0:1"))
    with pytest.raises(
        SettingsError, match="the grid has 20,000 combinations; at most 10,000 are tried. Name fewer values"
    ):
        all_combinations(check("loop.epochs=1:10000", "loop.optimizer=adamw,sgd"))


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        ("probe.strength=1,2", "probe"),
        ("backbone=a,b", "probe"),
        ("loop.learning_rate=1,2", "finetune"),
        ("augment.preset=light,none", "finetune"),
        ("network.dense.units=8,9", "finetune"),
        ("network.name=lenet5,alexnet", "scratch"),
        ("strategy=probe,finetune", "auto"),
    ],
)
def test_the_strategy_looks_at_what_is_tried(text: str, strategy: str) -> None:
    assert strategy_for(dict([parse_try(text)])) == strategy


def test_what_was_said_is_left_out_of_a_usual_space() -> None:
    space = {key: TriedValues(values=(1, 2)) for key in ("network.size", "network.detector", "class_weights")}
    assert list(not_given(space, {"network": {"size": 160}, "class_weights": "none"})) == ["network.detector"]
    assert not_given(space, {"network": {"name": "blocks"}, "data": "a"}) == space
