"""`tellapart.Classifier` in scikit-learn. In: small pictures, scikit-learn's own checks. Out: an estimator like its own."""

from __future__ import annotations

import inspect
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

import tellapart
from tellapart.errors import DataError, SettingsError
from tellapart.workflows.estimator import PRESETS, Classifier, flags_of
from tellapart.workflows.estimator_given import class_names, paths_of, said

Pictures = tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    """Twenty pictures, of noise that is dark in red or in green, and what they are."""
    folder, random = tmp_path_factory.mktemp("noise"), np.random.default_rng(0)
    paths, labels = [], []
    for number in range(20):
        array = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        array[..., number % 2] //= 4
        paths.append(str(folder / f"{number}.png"))
        labels.append("绿" if number % 2 else "red")
        Image.fromarray(array).resize((32, 32)).save(paths[-1])
    return paths, labels


@pytest.fixture(scope="module")
def fitted(pictures: Pictures) -> Classifier:
    return Classifier(presets="quick", device="cpu").fit(*pictures)


@pytest.mark.slow
def test_a_fit_learns_and_says_how_well(fitted: Classifier, pictures: Pictures) -> None:
    paths, labels = pictures
    assert fitted.classes_.tolist() == ["red", "绿"]
    assert fitted.score(paths, labels) >= 0.9
    assert (fitted.test_accuracy_.low or 1) < fitted.test_accuracy_.value <= 1
    assert (fitted.strategy_, fitted.run_) == ("probe", None)
    probabilities = fitted.predict_proba(paths)
    assert (probabilities.shape, probabilities.dtype) == ((20, 2), np.float32)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    assert fitted.predict(paths).tolist() == fitted.classes_[probabilities.argmax(axis=1)].tolist()
    assert fitted.predict([]).shape == (0,)


@pytest.mark.slow
def test_it_answers_as_the_model_file_does(fitted: Classifier, pictures: Pictures, tmp_path: Path) -> None:
    paths, _ = pictures
    fitted.save(tmp_path / "model.onnx")
    loaded = tellapart.load(tmp_path / "model.onnx").predict(paths)
    np.testing.assert_array_equal(loaded.probabilities, fitted.predict_proba(paths))
    assert list(loaded.labels) == fitted.predict(paths).tolist()


@pytest.mark.slow
def test_it_is_pickled_and_cloned(fitted: Classifier, pictures: Pictures) -> None:
    paths, _ = pictures
    before = fitted.predict_proba(paths)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(paths), before)
    fresh = clone(fitted)
    assert fresh.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        fresh.predict(paths)


@pytest.mark.slow
def test_a_picture_that_cannot_be_read_has_no_answer(fitted: Classifier, pictures: Pictures, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(
        DataError, match=r"1 of 2 pictures cannot be read: .*bad.png \(not a picture in a known format\)"
    ):
        fitted.predict([pictures[0][0], tmp_path / "bad.png"])
    with pytest.raises(DataError, match="1 paths stand for 20 pictures: one is a folder or a pattern"):
        fitted.predict([str(Path(pictures[0][0]).parent)])


@pytest.mark.slow
def test_the_example_of_the_documents(repository: Path, pictures: Pictures) -> None:
    """GridSearchCV over a Pipeline, and cross_val_score, as docs/choosing.md has them."""
    text = (repository / "docs" / "choosing.md").read_text(encoding="utf-8").partition("## From scikit-learn")[2]
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"paths": pictures[0], "labels": pictures[1]}
    exec(code[1], names)
    assert names["scores"].shape == (2,)
    assert names["search"].best_params_ in [{"classify__class_weights": value} for value in ("none", "balanced")]
    assert names["search"].predict(pictures[0][:1]).tolist() == ["red"]
    assert not np.isnan(names["search"].cv_results_["mean_test_score"]).any()


@pytest.mark.slow
def test_labels_may_be_numbers_and_groups_stay_together(pictures: Pictures, tmp_path: Path) -> None:
    from tellapart.data.examples_csv import read_examples
    from tellapart.data.targets import ClassName

    paths, labels = pictures
    numbers = np.array([7 if label == "red" else -3 for label in labels])
    groups = [number // 4 for number in range(20)]
    told = Classifier(strategy="probe", device="cpu", out=tmp_path / "runs", settings={"report": False})
    found = told.fit(np.array(paths)[:, None], numbers, groups=groups)
    assert found.classes_.tolist() == [-3, 7]
    assert found.predict(paths[:2]).dtype == numbers.dtype
    assert found.predict(paths[:2]).tolist() == [7, -3]
    assert found.run_ is not None
    assert not (found.run_ / "report.html").exists()
    split_of: dict[int, set[str | None]] = {}
    for one in read_examples(found.run_ / "examples.csv", ClassName):
        split_of.setdefault(groups[int(one.path.stem)], set()).add(one.split)
    assert sorted(split_of) == [0, 1, 2, 3, 4]
    assert all(len(splits) == 1 for splits in split_of.values())


def test_no_fit_goes_wrong_without_a_word(pictures: Pictures) -> None:
    """As cross_val_score tells it: a class of too few pictures to be split."""
    paths, labels = pictures
    with pytest.raises(DataError, match="classes 'red' has 1, '绿' has 1: fewer different pictures than 3"):
        cross_val_score(Classifier(strategy="probe"), paths[:4], labels[:4], cv=2, error_score="raise")


class WithNumbers(Classifier):
    """Says that it takes numbers, so that scikit-learn asks all that it asks of others: it skips what takes texts."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


NUMBERS = "fits an array of numbers, and pictures come as paths"
# What scikit-learn asks and cannot be so, and why.
EXPECTED = dict.fromkeys(
    (
        "check_fit_score_takes_y",
        "check_estimators_overwrite_params",
        "check_dont_overwrite_parameters",
        "check_estimators_fit_returns_self",
        "check_readonly_memmap_input",
        "check_n_features_in_after_fitting",
        "check_positive_only_tag_during_fit",
        "check_estimators_dtypes",
        "check_dtype_object",
        "check_estimators_empty_data_messages",
        "check_pipeline_consistency",
        "check_estimators_nan_inf",
        "check_estimator_sparse_tag",
        "check_estimator_sparse_array",
        "check_estimator_sparse_matrix",
        "check_estimators_pickle",
        "check_f_contiguous_array_estimator",
        "check_classifier_data_not_an_array",
        "check_classifiers_one_label",
        "check_classifiers_classes",
        "check_classifiers_train",
        "check_supervised_y_2d",
        "check_methods_sample_order_invariance",
        "check_methods_subset_invariance",
        "check_fit2d_1sample",
        "check_fit2d_1feature",
        "check_dict_unchanged",
        "check_fit_idempotent",
        "check_fit_check_is_fitted",
        "check_n_features_in",
        "check_fit1d",
        "check_fit2d_predict1d",
    ),
    NUMBERS,
)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([WithNumbers()], expected_failed_checks=lambda estimator: EXPECTED)
def test_what_scikit_learn_asks_of_an_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


def test_scikit_learn_knows_what_it_is() -> None:
    from sklearn.utils import get_tags

    tags = get_tags(Classifier())
    assert is_classifier(Classifier())
    assert (tags.input_tags.string, tags.input_tags.one_d_array, tags.input_tags.two_d_array) == (True, True, False)
    assert Classifier().set_params(seed=3).get_params()["seed"] == 3
    with pytest.raises(ValueError, match="Invalid parameter 'sead'"):
        Classifier().set_params(sead=3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"presets": "fast"}, "presets is 'fast'; there are quick, good, best. Give one of them"),
        ({"time_limit": 60, "budget": "1m"}, "time_limit is 60 and budget is '1m'; both limit the time. Leave one out"),
        ({"time_limit": 0}, "time_limit is 0; it is a number of seconds above 0"),
        ({"time_limit": "1m"}, "time_limit is '1m'; it is a number of seconds above 0"),
        ({"time_limit": True}, "time_limit is True; it is a number of seconds above 0"),
        (
            {"time_limit": 60, "presets": "quick"},
            "time_limit is 60, and the strategy is probe of presets quick, which takes seconds",
        ),
        (
            {"time_limit": 60, "strategy": "probe"},
            "and the strategy is probe, which takes seconds and keeps to no limit",
        ),
        ({"settings": {"network.fitt": "pad"}}, "there is no setting 'network.fitt'. Did you mean 'fit'"),
        ({"seed": -1}, "seed is -1"),
        ({"settings": {"data": "elsewhere"}}, "settings names 'data', which fit says. Leave it out of settings."),
        ({"settings": {"out": "runs"}}, "settings names 'out', which a parameter of that name says."),
        (
            {"strategy": "probe", "epochs": 3},
            "epochs is set, which strategy='probe' does not use. Leave it out, or give strategy='finetune'.",
        ),
        (
            {"settings": {"loop.epochs": 3}, "strategy": "probe"},
            "loop.epochs is set, which strategy='probe' does not use.",
        ),
    ],
)
def test_parameters_that_cannot_be(pictures: Pictures, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        Classifier(**parameters).fit(*pictures)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("a.png", "X is a str; pictures come as a sequence of paths. Put it in a list"),
        (3, "X is an int; pictures come as a sequence of paths"),
        ([b"a.png"], "row 0 of X is a bytes, no path"),
        (["a.png", 3.0], "row 1 of X is a float, no path. Give the paths of picture files"),
        (np.zeros((2, 3)), "row 0 of X is a ndarray, no path"),
    ],
)
def test_what_is_no_list_of_paths(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        paths_of(given)


def test_what_leads_nowhere_is_told_of_x(pictures: Pictures) -> None:
    with pytest.raises(
        DataError, match=r"^none of the 2 paths in X leads to a file, such as 'a.png', 'b.png'\. Paths that"
    ):
        Classifier().fit(["a.png", "b.png"], ["cat", "dog"])
    with pytest.raises(DataError, match="^X has no path, so there is nothing to learn from"):
        Classifier().fit([], [])
    paths, labels = pictures
    with pytest.raises(
        DataError, match=r"0\.png' has two labels in X: 'red' at place 0 and '绿' at place 20\. Give each picture"
    ):
        Classifier(strategy="probe").fit([*paths, paths[0]], [*labels, "绿"])
    with pytest.raises(DataError, match=r"^X has only one class, 'red'; telling apart needs two\."):
        Classifier(strategy="probe").fit(paths, ["red"] * 20)


def test_a_message_of_a_training_speaks_of_what_was_given() -> None:
    table = Path("/tmp/tellapart-fit-x/labels.csv")
    parameters = {**Classifier().get_params(), "views": 3}
    for told, heard in {
        f"the table '{table}' has a header": "X has a header",
        "Use --device cpu.": "Use device='cpu'.",
        "Give --kfold 12, or": "Give settings={'kfold.folds': 12}, or",
        "Leave --tiles out": "Leave settings={'network.fit': 'tile'} out",
        "train with --set network.fit=squash or pad; --strategy auto tries": (
            "train with settings={'network.fit': 'squash'} or pad; strategy='auto' tries"
        ),
        "give a lower --coverage.": "give a lower settings['coverage'].",
        "try --budget 3m.": "try budget='3m'.",
        "finetune.views and loop.epochs": "views and loop.epochs",  # of these views alone was told by its name
        "--nobody knows": "--nobody knows",
    }.items():
        assert said(told, table=table, parameters=parameters) == heard


def test_paths_come_in_many_forms() -> None:
    import pandas

    assert paths_of([Path("a.png"), "b.png"]) == ["a.png", "b.png"]
    assert paths_of(np.array([["a.png"], ["b.png"]])) == ["a.png", "b.png"]
    table = pandas.DataFrame({"size": [1, 2], "image": ["a.png", "b.png"]})
    assert paths_of(table) == paths_of(table["image"]) == paths_of(table[["image"]]) == ["a.png", "b.png"]
    assert paths_of(table[["image"]].rename(columns={"image": "anything"})) == ["a.png", "b.png"]
    with pytest.raises(DataError, match="X has the columns size, other; none is called path or image or filename"):
        paths_of(table.rename(columns={"image": "other"}))


def test_labels_keep_their_kind() -> None:
    assert class_names(np.array([True, False])) == ["True", "False"]
    for labels, message in (
        (np.array(["", "a"]), "the label '' is empty"),
        (np.array(["a", "a "]), "the labels 'a' and 'a ' are both called 'a'"),
    ):
        with pytest.raises(DataError, match=message):
            class_names(labels)
    for y, message in (
        ([0.5, 1.5], "Unknown label type"),
        ([[0, 1], [1, 1]], "y should be a 1d array"),
        (["a"], "inconsistent numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            Classifier().fit(["a.png", "b.png"], y)


def test_a_path_that_no_table_holds(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(
        DataError, match=r"the path '.*udcff.*' is not UTF-8, in which pictures are listed. Rename the file"
    ):
        Classifier().fit([str(tmp_path / "a.png"), str(tmp_path / "\udcff.png")], ["a", "b"])


def test_what_is_given_wins_over_a_preset_and_a_limit_is_a_budget() -> None:
    def flags(**parameters: Any) -> dict[str, Any]:
        return {
            name: value for name, value in flags_of(Classifier(**parameters).get_params()).items() if value is not None
        }

    assert flags() == {}
    assert flags(presets="best", time_limit=90, seed=3) == {
        "strategy": "auto",
        "backbone": "tf_efficientnet_lite2",
        "budget": "90.000s",
        "seed": 3,
    }
    assert flags(presets="best", backbone="tf_efficientnet_lite1")["backbone"] == "tf_efficientnet_lite1"
    assert flags(presets="quick", strategy="finetune") == {"strategy": "finetune"}


def test_every_parameter_is_a_setting_of_train() -> None:
    """By the same name and with the same default, but for what only scikit-learn's users look for."""
    theirs, ours = inspect.signature(tellapart.train).parameters, inspect.signature(Classifier).parameters
    assert set(ours) - set(theirs) == {"presets", "time_limit"}
    assert all(one.default is None for one in ours.values())


def test_every_preset_is_told(repository: Path) -> None:
    text = (repository / "docs" / "choosing.md").read_text(encoding="utf-8")
    assert Classifier.__doc__ is not None
    for name, told in PRESETS.items():
        assert f"`{name}`" in text
        assert name in Classifier.__doc__
        assert all(value in text for value in told.values())


def test_the_package_is_light_until_it_is_asked_for() -> None:
    code = "import sys, tellapart; before = 'sklearn' in sys.modules; tellapart.Classifier; print(before, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
