"""`tellapart.Classifier`, an estimator of scikit-learn. In: paths, labels. Out: a fitted model that predicts. Next: calling.py.

Each fit is a whole training: audit, split by content, choice on validation, test. What was learned stays as the bytes of
model.onnx, so that pickling, cloning and the processes of joblib need no file.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_consistent_length, check_is_fitted, column_or_1d

from tellapart.answers.formulas import csv_text
from tellapart.answers.given import PATH_COLUMNS
from tellapart.answers.predictor import Predictor
from tellapart.bundle import Score, open_bytes
from tellapart.data.targets import ONE_CLASS
from tellapart.errors import DataError, SettingsError, kind_of
from tellapart.reporter import Silent
from tellapart.storage import storage_errors, write_bytes
from tellapart.workflows.calling import train_as_told

Preset = Literal["quick", "good", "best"]

# What each of them says; whatever is said besides wins.
PRESETS: Mapping[str, Mapping[str, str]] = {
    "quick": {"strategy": "probe"},
    "good": {"strategy": "auto"},
    "best": {"strategy": "auto", "backbone": "tf_efficientnet_lite2"},
}
_NAMED = 3  # pictures that a message names
# Parameters that are no line of a recipe.
_OWN = ("presets", "time_limit", "settings", "out")


class Classifier(ClassifierMixin, BaseEstimator):
    """One class a picture, for scikit-learn: in `cross_val_score`, `GridSearchCV`, `Pipeline`.

        classifier = tellapart.Classifier(strategy="probe").fit(paths, labels)
        classifier.predict(["a.jpg", "b.png"])

    The parameters are those of `tellapart.train`; None: as `tellapart train --help` says. `settings` holds further lines of a
    recipe, {"network.fit": "pad"}. `presets` is quick (strategy probe), good (auto) or best (auto with tf_efficientnet_lite2), and
    `time_limit` a budget in seconds; what is given besides wins over a preset. `seed` is what others call random_state. Runs are
    kept in the folder `out`, with their reports; with None only the model is.
    """

    # After `fit`:
    classes_: NDArray[Any]  # [K], the labels, sorted
    model_: bytes  # of model.onnx
    test_accuracy_: Score  # with `value`, `low` and `high`, on those pictures of `fit` that its own split held out
    strategy_: str  # that was kept: probe, finetune or scratch
    warnings_: tuple[str, ...]  # what the audit found that should not be missed
    run_: Path | None  # the run's folder, where it was kept
    _predictor: Predictor | None

    def __init__(
        self,
        *,
        presets: Preset | None = None,
        time_limit: float | None = None,
        strategy: Literal["auto", "probe", "finetune", "scratch"] | None = None,
        budget: str | None = None,
        backbone: str | None = None,
        weights: str | os.PathLike[str] | None = None,
        class_weights: Literal["none", "balanced"] | None = None,
        folds: int | None = None,
        unfreeze: str | float | None = None,
        views: int | None = None,
        network: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        augment: Literal["none", "light", "medium", "strong", "trivial", "randaugment"] | None = None,
        seed: int | None = None,
        device: Literal["auto", "cpu", "cuda", "mps"] | None = None,
        engine: Literal["auto", "onnxruntime", "openvino", "openvino-bfloat16"] | None = None,
        settings: Mapping[str, Any] | None = None,
        out: str | os.PathLike[str] | None = None,
    ) -> None:
        self.presets = presets
        self.time_limit = time_limit
        self.strategy = strategy
        self.budget = budget
        self.backbone = backbone
        self.weights = weights
        self.class_weights = class_weights
        self.folds = folds
        self.unfreeze = unfreeze
        self.views = views
        self.network = network
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.augment = augment
        self.seed = seed
        self.device = device
        self.engine = engine
        self.settings = settings
        self.out = out

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Classifier:
        """Train on n picture files and their n labels, texts or numbers.

        `X` is a sequence of paths, or a table with one column of them. `groups` [n] says which pictures stay together in the split
        that is made inside, such as those of one patient; copies do so by themselves.
        Raises: ValueError for labels that are no classes; DataError, SettingsError and the others of `tellapart.train`.
        """
        labels = _labels(y)
        paths = paths_of(X)
        check_consistent_length(paths, labels, groups)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        names = class_names(self.classes_)
        rows = [
            {"path": os.path.abspath(path), "label": names[number]} for path, number in zip(paths, numbers, strict=True)
        ]
        if groups is not None:
            for row, group in zip(rows, groups, strict=True):
                row["group"] = str(group)
        self._train(rows)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each of n pictures, [n], in the kind of the labels. Raises: as `predict_proba`."""
        probabilities = self.predict_proba(X)
        found: NDArray[Any] = self.classes_[np.argmax(probabilities, axis=1)]
        return found

    def predict_proba(self, X: Any) -> NDArray[np.float32]:
        """Calibrated probabilities float32 [n, K], the classes in the order of `classes_`.

        Raises: NotFittedError before `fit`; DataError for pictures that cannot be read, since every picture must have an answer.
        """
        check_is_fitted(self)
        paths = paths_of(X)
        if not paths:
            return np.empty((0, len(self.classes_)), dtype=np.float32)
        predictor = self._opened()
        answered = predictor.predict(list(paths))
        _check_read(answered.paths, answered.errors, len(paths))
        places = [
            predictor.classes.index(name) if name in predictor.classes else -1 for name in class_names(self.classes_)
        ]
        known = np.array([place >= 0 for place in places])
        found: NDArray[np.float32] = np.where(known, answered.probabilities[:, places], np.float32(0))
        return found

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write model.onnx, which every command of tellapart takes. Raises: NotFittedError, StorageError."""
        check_is_fitted(self)
        write_bytes(Path(path), self.model_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array, tags.input_tags.string = True, False, True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        # An open session cannot be pickled; it is opened again from the bytes.
        return {name: value for name, value in super().__getstate__().items() if name != "_predictor"}

    def _opened(self) -> Predictor:
        opened: Predictor | None = getattr(self, "_predictor", None)
        if opened is None:
            opened = self._predictor = Predictor(open_bytes(self.model_, source="the fitted model"))
        return opened

    def _train(self, rows: Sequence[Mapping[str, str]]) -> None:
        self._predictor = None
        with tempfile.TemporaryDirectory(prefix="tellapart-fit-") as folder:
            table = Path(folder) / "labels.csv"
            write_bytes(table, _table(rows))
            kept = self.out is not None
            flags = {
                **flags_of(self.get_params(deep=False)),
                "data": table,
                "task": ONE_CLASS,
                "out": os.fspath(self.out) if self.out is not None else os.path.join(folder, "runs"),
                "report": kept,
            }
            result = train_as_told(flags, self.settings or {}, None, None, None, reporter=Silent())
            with storage_errors(result.model):
                self.model_ = result.model.read_bytes()
        self.run_ = result.run if kept else None
        self.test_accuracy_ = result.score
        self.strategy_ = result.strategy
        self.warnings_ = result.warnings


def paths_of(X: Any) -> list[str]:
    """The paths in a sequence, an array [n] or [n, 1], or a table that has one column, or one that is called as paths are.

    Raises: DataError for anything else.
    """
    if isinstance(X, (str, bytes, os.PathLike)):
        raise DataError(f"X is {kind_of(X)}; pictures come as a sequence of paths. Put it in a list.")
    if hasattr(X, "columns"):
        named = [name for name in PATH_COLUMNS if name in list(X.columns)]
        if not named and len(X.columns) != 1:
            raise DataError(
                f"X has the columns {', '.join(map(str, X.columns))[:300]}; none is called {' or '.join(PATH_COLUMNS[:3])}. Give "
                "its paths alone, as table[COLUMN]."
            )
        X = X[named[0] if named else X.columns[0]]
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) == 2 and shape[1] == 1:
        X = np.asarray(X).ravel()
    try:
        found = list(X)
    except TypeError:
        raise DataError(f"X is {kind_of(X)}; pictures come as a sequence of paths. Give a list of them.") from None
    for row, path in enumerate(found):
        if not isinstance(path, (str, os.PathLike)):
            raise DataError(f"row {row} of X is {kind_of(path)}, no path. Give the paths of picture files.")
    return [os.fspath(path) for path in found]


def class_names(classes: NDArray[Any]) -> list[str]:
    """What each of K labels is called in the model: itself, as a text. Raises: DataError where two would be called the same."""
    names = [unicodedata.normalize("NFC", str(value)).strip() for value in classes.tolist()]
    for place, name in enumerate(names):
        if not name:
            raise DataError(f"the label {classes.tolist()[place]!r} is empty as a name. Give each class a name.")
        if name in names[:place]:
            first, second = classes.tolist()[names.index(name)], classes.tolist()[place]
            raise DataError(
                f"the labels {first!r} and {second!r} are both called {name!r} in a model. Rename one of them."
            )
    return names


def _labels(y: Any) -> NDArray[Any]:
    """Raises: ValueError."""
    if y is None:
        raise ValueError("tellapart.Classifier requires y to be passed, but the target y is None.")
    labels: NDArray[Any] = column_or_1d(y, warn=True)
    if labels.dtype.kind == "f":
        assert_all_finite(labels, input_name="y")
    check_classification_targets(labels)
    return labels


def _table(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Raises: DataError for a path that is not UTF-8."""
    try:
        return csv_text(list(rows[0]) if rows else ["path", "label"], rows).encode()
    except UnicodeEncodeError:
        wrong = next(row["path"] for row in rows if not row["path"].isprintable())
        raise DataError(f"the path {wrong!r} is not UTF-8, in which pictures are listed. Rename the file.") from None


def flags_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The flags of a training, of the parameters. Raises: SettingsError."""
    flags = {name: value for name, value in parameters.items() if name not in _OWN}
    presets, limit = parameters["presets"], parameters["time_limit"]
    if presets is not None and presets not in PRESETS:
        raise SettingsError(f"presets is {presets!r}; there are {', '.join(PRESETS)}. Give one of them.")
    for name, value in PRESETS.get(presets or "", {}).items():
        flags[name] = value if flags[name] is None else flags[name]
    if limit is None:
        return flags
    if flags["budget"] is not None:
        raise SettingsError(
            f"time_limit is {limit} and budget is {flags['budget']!r}; both limit the time. Leave one out."
        )
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not 0 < limit < 1e8:
        raise SettingsError(f"time_limit is {limit!r}; it is a number of seconds above 0, such as 600. Correct it.")
    if flags["strategy"] == "probe":
        raise SettingsError(
            f"time_limit is {limit}, and the strategy is probe{' of presets quick' if presets == 'quick' else ''}, which takes "
            "seconds and keeps to no limit. Leave one of them out."
        )
    return flags | {"budget": f"{limit:.3f}s"}


def _check_read(paths: Sequence[str], errors: Sequence[str], wanted: int) -> None:
    """Raises: DataError where a picture has no answer, or a path stood for several."""
    if len(errors) != wanted:
        raise DataError(
            f"{wanted} paths stand for {len(errors)} pictures: one is a folder or a pattern. Name each picture."
        )
    failed = [f"{path} ({error})" for path, error in zip(paths, errors, strict=True) if error]
    if failed:
        more = len(failed) - _NAMED
        raise DataError(
            f"{len(failed)} of {wanted} pictures cannot be read: {', '.join(failed[:_NAMED])}"
            f"{f' and {more} more' if more > 0 else ''}. Leave them out, or ask tellapart.load(MODEL).predict, which "
            "tells each by itself."
        )
