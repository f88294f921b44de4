"""Settings are checked before any work. In: values. Out: TrainSettings, or a sentence that names the key."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from tellapart.data.augmentation import Augmentation
from tellapart.errors import SettingsError
from tellapart.models.classics import Block, Dense
from tellapart.runs.recipe import recipe_text
from tellapart.settings.flags import tables
from tellapart.settings.loop import LATER, LoopSettings
from tellapart.settings.parts import LATER as LATER_OF_NETWORKS
from tellapart.settings.parts import AugmentSettings, BlockSettings, DenseSettings
from tellapart.settings.reading import check_resumed, make_settings, merge, parse_assignment, read_recipe
from tellapart.settings.tree import TrainSettings, parse_seconds


def test_a_recipe_comes_back_as_the_settings_it_was_made_from(tmp_path: Path) -> None:
    settings = make_settings(
        {
            "data": '图 "片"',
            "seed": 7,
            "class_weights": "balanced",
            "budget": "10m",
            "strategy": "scratch",
            "network": {"channels": 1, "blocks": [{"filters": 8, "padding": 1}, {}], "dense": [{"units": 16}]},
            "loop": {"clip": 0, "patience": 3},
        }
    )
    (tmp_path / "recipe.toml").write_text(recipe_text(settings), encoding="utf-8")
    assert make_settings(read_recipe(tmp_path / "recipe.toml")) == settings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"data": "x", "sead": 1},
            "there is no setting 'sead'. Did you mean 'seed'? The settings there are: data",
        ),
        (
            {"data": "x", "loop": {"epoch": 3}},
            "there is no setting 'loop.epoch'. Did you mean 'epochs'? The settings there are: epochs, batch_size",
        ),
        (
            {"data": "x", "network": {"blocks": [{}, {"filtres": 3}]}},
            "there is no setting 'network.blocks.1.filtres'. Did you mean 'filters'? The settings there are: filters, kernel",
        ),
        (
            {"data": "x", "network": {"padding": "valid"}},
            "there is no setting 'network.padding'. It is a key of each of network.blocks, as recipes/two_classes",
        ),
        ({"data": "x", "loop": {"optimizer": "RMSProp"}}, "Did you mean 'rmsprop'?"),
        ({"data": "x", "loop": {"loss": "mse"}}, "Did you mean 'mean_squared_error'?"),
        ({"data": "x", "loop": {"loss": "sparse_categorical_crossentropy"}}, "Did you mean 'cross_entropy'?"),
        ({"data": "x", "loop": {"schedule": "ReduceLROnPlateau"}}, "Did you mean 'plateau'?"),
        (
            {"data": {"rnage": "0:1"}},
            "there is no setting 'data.rnage'. Did you mean 'data.range'? The settings there are: data.range.",
        ),
        (
            {"data": "x", "loop": {"epochs": {"no": 1}}},
            "there is no setting 'loop.epochs.no': loop.epochs has no settings in it. Give loop.epochs=VALUE.",
        ),
        ({"data": "x", "loop": {"epochs": 0}}, "loop.epochs is 0; it must be at least 1"),
        (
            {"data": "x", "budget": "ten minutes"},
            "budget is 'ten minutes'; a time is a number above 0 and s, m or h",
        ),
        ({"data": "x", "budget": "0s"}, "budget is '0s'; a time is a number above 0"),
        (
            {"data": "x", "augment": {"rotation": 200}},
            "augment.rotation is 200; it must be at most 180",
        ),
        ({}, "no data was given. Name a folder with one folder of pictures a class, or a CSV."),
        ({"data": "x", "loop": {"l1": float("inf")}}, "loop.l1 is inf; it must be a finite number"),
        ({"data": "x", "loop": {"decay_epochs": 1e308}}, "loop.decay_epochs is 1e+308; it must be at most"),
        (
            {"data": "x", "strategy": "scratch", "network": {"blocks": [{"padding": "full"}]}},
            'padding is "same", "valid" or a number of pixels from 0 to 64',
        ),
        ({"data": "x", "budget": 90}, "budget is 90; a time is a number above 0 and s, m or h, such as 90s"),
        ({"data": "x", "budget": "9s", "strategy": "probe"}, "budget is set, which --strategy probe does not use."),
        ({"data": ""}, "data is ''; it must not be empty"),
        ({"data": "x", "folds": 1}, "folds is 1; it must be at least 2"),
        ({"data": "x", "device": "tpu"}, "device is 'tpu'"),
        (
            {"data": "x", "engine": "tensorrt"},
            "engine is 'tensorrt'; it must be auto, onnxruntime, openvino or openvino-bfloat16",
        ),
        (
            {"data": "x", "engine": "openvino", "strategy": "scratch"},
            "engine is set, which --strategy scratch does not use. Leave it out, or give --strategy finetune",
        ),
        (
            {"data": "x", "pictures": "y"},
            "data is 'x' and pictures is 'y'; both name what is learned from, pictures being the older name. Give data alone.",
        ),
        ({"data": "x", "task": "regression"}, "task is 'regression'; it must be classification, multilabel"),
        (
            {"data": "x", "label_separator": "#"},
            "label_separator is '#'; it must be '|', ';', ',', ' ', /, +, &, ",
        ),
        (
            {"data": "x", "task": "classification", "label_separator": ";"},
            "label_separator is ';', which task classification does not use. Leave it out, or give --task multilabel.",
        ),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings(values)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("10m", 600.0), ("1.5h", 5400.0), ("1h30m", 5400.0), (" 2M ", 120.0)]
)
def test_a_budget_is_read_in_seconds(text: str, seconds: float) -> None:
    assert make_settings({"data": "x", "budget": text}).budget_seconds == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "5 m", "1e3s", "10d"])
def test_what_is_no_time_counts_as_none(text: str) -> None:
    assert parse_seconds(text) == 0.0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"network": {"name": "lenet5"}},
            "network.name is set, which --strategy auto does not use. Leave it out, or give --strategy scratch.",
        ),
        (
            {"network": {"channels": 1}, "strategy": "finetune"},
            "network.channels is set, which --strategy finetune does not use.",
        ),
        ({"finetune": {"unfreeze": "2"}, "strategy": "probe"}, "Leave it out, or give --strategy finetune."),
        (
            {"network": {"test_time_augmentation": "flip"}, "strategy": "probe"},
            "network.test_time_augmentation is set, which --strategy probe does not use. Leave it out, or give --strategy fin",
        ),
        (
            {"augment": {"rotation": 0.1}, "strategy": "probe"},
            "augment.rotation is set, which --strategy probe does not use.",
        ),
        ({"loop": {"epochs": 3}, "strategy": "probe"}, "loop.epochs is set, which --strategy probe does not use."),
        (
            {"finetune": {"batch_norm": "train"}, "strategy": "scratch"},
            "finetune.batch_norm is set, which --strategy scratch",
        ),
        (
            {"backbone": "resnet18", "strategy": "scratch"},
            "backbone is set, which --strategy scratch does not use. Leave it out, or name the network with --network instead",
        ),
        (
            {"network": {"crop": 0.9}, "strategy": "scratch"},
            "network.crop is set, which --strategy scratch does not use.",
        ),
        (
            {"network": {"decoder": "unet++"}},
            "network.decoder is 'unet++'; it must be unet, unetplusplus, fpn, deeplabv3plus or pspnet. Did you mean 'unet'?",
        ),
        (
            {"network": {"crop": 0.9, "fit": "squash"}},
            "network.crop is 0.9, but network.fit squash has no such share. Leave one of them out",
        ),
        (
            {"network": {"crop": 0.9, "fit": "tile"}},
            "network.crop is 0.9, but network.fit tile has no such share. Leave one of them out",
        ),
        (
            {"network": {"overlap": 32}},
            "network.overlap is 32, which is of tiles, and pictures are not cut. Give --tiles, or leave it out",
        ),
        (
            {"network": {"scale": 0.5, "fit": "pad"}},
            "network.scale is 0.5, which is of tiles, and pictures are not cut. Give --tiles, or leave it out",
        ),
        (
            {"loop": {"decay_at": [1]}},
            "loop.decay_at is 1, and loop.schedule is cosine; only piecewise looks at it. Leave it out, or give --set loop.sch",
        ),
        (
            {"loop": {"schedule": "piecewise"}},
            "loop.decay_at is []; a piecewise schedule needs rising epochs. Give --set loop.decay_at=[5,8], for example.",
        ),
        ({"loop": {"schedule": "piecewise", "decay_at": [3, 2]}}, "loop.decay_at is 3, 2; a piecewise schedule needs"),
        (
            {"base": "runs/a", "kfold": {"folds": 3}, "split": {"shares": "80/10/10"}},
            "--from runs/a goes on with that run's network, and --kfold is not for that. Leave one of them out.",
        ),
        (
            {"base": "runs/a", "strategy": "probe"},
            "--from runs/a goes on with that run's network, and --strategy probe is not for that. Leave one of them out.",
        ),
        (
            {"value_range": "9:1"},
            "data.range is '9:1'; a range is LOW:HIGH, two numbers with the lower first, such as 0:4095",
        ),
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings({"data": "x", **values})
    assert words in str(caught.value)


@pytest.mark.parametrize(("given", "kept"), [(3, "3"), (0.5, "0.5"), ("half", "half")])
def test_stages_may_be_given_as_numbers(given: object, kept: str) -> None:
    assert make_settings({"data": "x", "finetune": {"unfreeze": given}}).finetune.unfreeze == kept


def test_tables_are_laid_over_each_other_key_by_key() -> None:
    low = {"seed": 1, "loop": {"epochs": 3, "clip": 1.0}}
    assert merge(low, {"loop": {"epochs": 5}, "out": "x"}) == {
        "seed": 1,
        "loop": {"epochs": 5, "clip": 1.0},
        "out": "x",
    }
    assert low == {"seed": 1, "loop": {"epochs": 3, "clip": 1.0}}


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("loop.epochs=5", {"loop": {"epochs": 5}}),
        ("augment.quarter_turns=true", {"augment": {"quarter_turns": True}}),
        ("network.name=lenet5", {"network": {"name": "lenet5"}}),
        ("network.blocks=[{filters=8}]", {"network": {"blocks": [{"filters": 8}]}}),
        ("seed = 3", {"seed": 3}),
        ("data.range=0:4095", {"value_range": "0:4095"}),
    ],
)
def test_an_assignment_is_a_line_of_a_recipe(text: str, table: dict[str, object]) -> None:
    assert parse_assignment(text) == table


@pytest.mark.parametrize("text", ["loop.epochs", "=5"])
def test_what_is_no_assignment_is_told(text: str) -> None:
    with pytest.raises(SettingsError, match="is not KEY=VALUE. Give a setting such as loop.epochs=5"):
        parse_assignment(text)


def test_what_training_does_not_depend_on_is_left_out_of_its_fingerprint() -> None:
    one, other = (make_settings({"data": name, "out": name, "budget": "1m"}) for name in ("a", "b"))
    assert one.trained_by() == other.trained_by()
    assert one.trained_by() != make_settings({"data": "a", "seed": 1}).trained_by()
    assert (
        one.trained_by() == make_settings({"data": "a", "loop": {"workers": 3}}).trained_by()
    )  # who reads changes nothing
    assert one.trained_by() != make_settings({"data": "a", "loop": {"momentum": 0.5}}).trained_by()
    answered = make_settings({"data": "a", "budget": "1m", "network": {"test_time_augmentation": "dihedral"}})
    assert one.trained_by() == answered.trained_by()
    assert one.trained_by() != make_settings({"data": "a", "network": {"size": 64}}).trained_by()


def test_the_defaults_are_the_documented_ones() -> None:
    settings = TrainSettings(data="x")
    assert (settings.out, settings.strategy, settings.seed, settings.device, settings.folds) == (
        "runs",
        "auto",
        0,
        "auto",
        5,
    )


def test_the_older_name_of_data_is_read(tmp_path: Path) -> None:
    older = tmp_path / "recipe.toml"
    older.write_text('[settings]\npictures = "cells"\nseed = 3\n')
    assert read_recipe(older) == {"data": "cells", "seed": 3}
    assert make_settings({"pictures": "cells"}) == make_settings({"data": "cells"})
    # What a flag says wins over a recipe, whichever of the two names the recipe has.
    assert make_settings(merge(read_recipe(older), {"data": "nuclei"})).data == "nuclei"
    assert "pictures" not in recipe_text(make_settings(read_recipe(older)))
    older.write_text('[settings]\npictures = "cells"\ndata = "nuclei"\n')
    with pytest.raises(SettingsError, match="both name what is learned from"):
        read_recipe(older)


def test_what_was_told_about_the_data_does_not_change_what_is_learned() -> None:
    told = make_settings({"data": "x", "task": "multilabel", "label_separator": ";"})
    assert (told.task, told.label_separator) == ("multilabel", ";")
    assert told.trained_by() == make_settings({"data": "x"}).trained_by()


@pytest.mark.parametrize(
    ("settings", "part", "own"),
    [
        (BlockSettings, Block, {"groups", "local_response_norm"}),
        (DenseSettings, Dense, set()),
        (AugmentSettings, Augmentation, {"policy"}),
    ],
)
def test_what_a_recipe_says_of_a_part_are_the_part_s_own_fields(settings: Any, part: Any, own: set[str]) -> None:
    names = [field.name for field in dataclasses.fields(part) if field.name not in own]
    assert list(settings.model_fields) == names
    hints = get_type_hints(part)
    for name, field in settings.model_fields.items():
        assert field.annotation in (hints[name], hints[name] | None)


def test_a_plain_block_of_a_recipe_is_a_plain_block() -> None:
    assert Block(**BlockSettings().model_dump()) == Block(filters=32)
    assert Dense(**DenseSettings().model_dump()) == Dense(units=128)
    assert AugmentSettings().model_dump(exclude_none=True) == {"preset": "light"}


@pytest.mark.parametrize("given", [True, "tile"])
def test_tiles_are_a_flag_and_a_line_of_a_recipe(given: object) -> None:
    """On the command line the flag, in Python True; and the same by network.fit."""
    assert tables({"data": "x", "tiles": given}, {"network": {"overlap": 40}}) == {
        "data": "x",
        "network": {"fit": "tile", "overlap": 40},
    }
    assert tables({"data": "x", "tiles": None}, {}) == tables({"data": "x", "tiles": False}, {}) == {"data": "x"}
    assert make_settings(tables({"data": "x", "tiles": given}, {})).network.fit == "tile"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kfold": {"folds": 1}}, "kfold.folds is 1; it must be at least 2. Correct it and run again."),
        (
            {"kfold": {"repeats": 3}},
            "kfold.repeats is set without folds. Give --kfold 5 too, or leave it out.",
        ),
        (
            {"kfold": {"keep": "ensemble"}},
            "kfold.keep is set without folds. Give --kfold 5 too, or leave it out.",
        ),
        (
            {"kfold": {"repeats": 2}, "reading": {"fold_column": "part"}},
            "kfold.repeats is 2, and the column 'part' gives the same folds each time. Leave one of them out.",
        ),
        (
            {"kfold": {"folds": 5, "keep": "best"}},
            "kfold.keep is 'best'; it must be one or ensemble. Correct it and run again.",
        ),
    ],
)
def test_folds_that_cannot_be(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make_settings({"data": "x", **values})
    assert str(refused.value) == said


def test_flags_of_folds_reach_their_settings() -> None:
    flags = {"data": "x", "kfold": 5, "repeats": 2, "kfold_keep": "ensemble"}
    assert make_settings(tables(flags, {})).kfold.model_dump() == {"folds": 5, "repeats": 2, "keep": "ensemble"}
    column = make_settings(tables({"data": "x", "fold_column": "part"}, {}))
    assert (column.reading.fold_column, column.folded, make_settings({"data": "x"}).folded) == ("part", True, False)


def test_what_is_learned_does_not_depend_on_folds() -> None:
    """A checkpoint of before there were folds is gone on with."""
    assert make_settings({"data": "x", "kfold": {"folds": 5}}).trained_by() == make_settings({"data": "x"}).trained_by()


def test_what_could_not_be_told_before_changes_no_fingerprint_unless_it_is_told() -> None:
    usual = TrainSettings(data="x").trained_by()["loop"]
    assert not LATER & set(usual)
    again = TrainSettings.model_validate(TrainSettings(data="x").model_dump())
    assert again.trained_by()["loop"] == usual
    assert TrainSettings(data="x", loop={"monitor": "accuracy"}).trained_by()["loop"]["monitor"] == "accuracy"  # type: ignore[arg-type]


def test_what_could_not_be_told_of_networks_before_changes_no_fingerprint_either() -> None:
    plain = {"name": "blocks", "blocks": [{"filters": 8}], "dense": [{"units": 4}]}
    usual = make_settings({"data": "x", "strategy": "scratch", "network": plain}).trained_by()["network"]
    for table in (usual, *usual["blocks"], *usual["dense"]):
        assert not LATER_OF_NETWORKS & set(table)
    told = {**plain, "pooling": "max", "blocks": [{"filters": 8, "l2": 0.1}]}
    changed = make_settings({"data": "x", "strategy": "scratch", "network": told}).trained_by()["network"]
    assert changed["pooling"] == "max"
    assert changed["blocks"] == [{**usual["blocks"][0], "l2": 0.1}]


def test_flatten_is_a_pooling() -> None:
    assert make_settings({"data": "x", "network": {"flatten": True}}).network.pooling == "flatten"
    assert make_settings({"data": "x", "network": {"flatten": False}}).network.pooling == "average"
    assert make_settings({"data": "x", "network": {"flatten": True, "pooling": "flatten"}}).network.pooling == "flatten"
    with pytest.raises(SettingsError, match="flatten is true and pooling is max, which differ. Leave one of them out"):
        make_settings({"data": "x", "network": {"flatten": True, "pooling": "max"}})
    with pytest.raises(SettingsError, match="network: flatten is 'yes'; it must be true or false"):
        make_settings({"data": "x", "network": {"flatten": "yes"}})


@pytest.mark.parametrize(("optimizer", "decay"), [("adamw", 0.05), ("sgd", 0.05), ("adam", 0.0), ("rmsprop", 0.0)])
def test_weights_decay_as_suits_the_optimizer(optimizer: str, decay: float) -> None:
    assert LoopSettings(optimizer=optimizer).decay == decay  # type: ignore[arg-type]
    assert LoopSettings(optimizer=optimizer, weight_decay=0.01).decay == 0.01  # type: ignore[arg-type]


def test_a_first_answer_alone_is_told_how_long_it_learns() -> None:
    """Of boxes it learns for epochs; tasks whose first answer does not refuse that themselves."""
    settings = make_settings({"data": "x", "strategy": "probe", "finetune": {"first_epochs": 3, "first_views": 1}})
    assert (settings.finetune.first_epochs, settings.finetune.first_views) == (3, 1)
    with pytest.raises(SettingsError, match="finetune.views is set, which --strategy probe does not use."):
        make_settings({"data": "x", "strategy": "probe", "finetune": {"views": 3}})
    with pytest.raises(SettingsError, match="finetune.first_epochs is set, which --strategy scratch does not use."):
        make_settings({"data": "x", "strategy": "scratch", "finetune": {"first_epochs": 3}})


def test_a_recipe_from_before_there_were_more_optimizers_is_taken() -> None:
    settings = TrainSettings(data="x", strategy="probe", loop={"weight_decay": 0.05, "optimizer": "adamw"})  # type: ignore[arg-type]
    assert settings == TrainSettings(data="x", strategy="probe")
    assert LoopSettings(optimizer="adam", weight_decay=0.05).decay == 0.05


def test_rescale_is_taken_as_keras_programs_write_it() -> None:
    for written, value in (("1/255", 1 / 255), ("1./255", 1 / 255), (0.0039, 0.0039), ("1 / 127.5", 1 / 127.5)):
        settings = make_settings({"data": "x", "network": {"rescale": written}})
        assert settings.network.rescale == pytest.approx(value)
    assert (
        make_settings({"data": "x", "network": {"rescale": None}}).trained_by()
        == make_settings({"data": "x"}).trained_by()
    )
    for written in ("1/0", "a/b", "__import__", 255):
        with pytest.raises(SettingsError, match=r"network\.rescale"):
            make_settings({"data": "x", "network": {"rescale": written}})


def test_splits_are_told_in_words_as_they_are_typed() -> None:
    told = make_settings({"data": "x", **tables({"split": "80/10/10", "limit": 256}, {})}).split
    assert told.shares == pytest.approx((0.8, 0.1, 0.1))
    assert told.limit == 256
    for written in ("8/1/1", "0.8/.1/.1", "80%,10%,10%", (0.8, 0.1, 0.1)):
        assert make_settings({"data": "x", "split": {"shares": written}}).split.shares == pytest.approx((0.8, 0.1, 0.1))
    assert make_settings({"data": "x", "split": {"shares": "33.3/33.3/33.3"}}).split.shares == pytest.approx(
        (1 / 3,) * 3
    )
    assert make_settings({"data": "x", **tables({"validation": "5%"}, {})}).split.validation == 0.05
    assert make_settings({"data": "x", "split": {"validation": 0.05}}).split.validation == 0.05
    again = make_settings({"data": "x", "split": told.model_dump()}).split
    assert again.shares == pytest.approx(told.shares)
    usual = make_settings({"data": "x"})
    assert make_settings({"data": "x", "split": {"limit": 9}}).trained_by() == usual.trained_by()
    assert make_settings({"data": "x", "split": {"limit": 9}}).read_options.limit == 9


@pytest.mark.parametrize(
    ("split", "words"),
    [
        ({"shares": "80/20"}, "it is three numbers above 0, of train, validation and test, such as 80/10/10"),
        ({"shares": "80/20/0"}, "it is three numbers above 0"),
        ({"shares": "a/b/c"}, "it is three numbers above 0"),
        (
            {"shares": "80/10/20"},
            "its numbers add up to 110, and train, validation and test are 100 together, such as 80/10/10",
        ),
        ({"shares": "70/10/10"}, "its numbers add up to 90, and train, validation and test are 100 together"),
        ({"shares": (0.8, 0.1, 0.2)}, "its numbers add up to 1.1, and train, validation and test are 1 together"),
        ({"validation": "x%"}, "it is a share such as 5% or 0.05"),
        ({"validation": "95%"}, "it must be below 0.9\\. "),
        ({"validation": "5"}, "split.validation is '5'; it must be below 0.9; 5 % is written 5% or 0.05. "),
        ({"validation": 12.5}, "it must be below 0.9; 12.5 % is written 12.5% or 0.125. "),
        ({"validation": 95}, "it must be below 0.9\\. "),
        ({"validation": "nan"}, "it must be "),
        ({"validation": True}, "it must be "),
        ({"shares": "80/10/10", "validation": "5%"}, "split: shares and validation both say how large validation is"),
        ({"limit": 1}, "it must be at least 2"),
    ],
)
def test_splits_that_cannot_be(split: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make_settings({"data": "x", "split": split})


def test_folds_have_no_split() -> None:
    with pytest.raises(SettingsError, match="split.validation is set, and of K folds every picture is tested"):
        make_settings({"data": "x", "split": {"validation": 0.1}, "kfold": {"folds": 3}})


def test_what_a_resumed_run_cannot_be_told_is_named_as_its_flag(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="repeats the run's own settings, and --from, seed was given"):
        check_resumed(tmp_path, {"base": "runs/a", "seed": 1}, None)
