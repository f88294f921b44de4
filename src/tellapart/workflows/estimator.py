"""`tellapart.Classifier`, an estimator of scikit-learn. In: paths, labels. Out: a model that predicts. Next: estimator_given.py.

Each fit is a whole training: audit, split by content, choice on validation, test. What was learned stays as the bytes of
model.onnx, so that pickling, cloning and the processes of joblib need no file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from tellapart.answers.predictor import Predictor
from tellapart.bundle import Score, open_bytes
from tellapart.data.targets import ONE_CLASS
from tellapart.errors import DataError, SettingsError, TellapartError
from tellapart.reporter import Silent
from tellapart.storage import storage_errors, write_bytes
from tellapart.workflows.calling import train_as_told
from tellapart.workflows.estimator_given import check_there, class_names, labels_of, paths_of, said, table_of

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
_FITTED = ("data", "pictures", "task", "labels")  # lines of a recipe that `fit` says


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
        labels = labels_of(y)
        paths = paths_of(X)
        check_consistent_length(paths, labels, groups)
        self._check_settings()
        check_there(paths)
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

    def _check_settings(self) -> None:
        """Raises: SettingsError for lines of a recipe that say what `fit` or another parameter says."""
        for key in self.settings or {}:
            if key in (*_FITTED, *_OWN):
                raise SettingsError(
                    f"settings names {key!r}, which {'fit' if key in _FITTED else 'a parameter of that name'} says. Leave it out "
                    "of settings."
                )

    def _train(self, rows: Sequence[Mapping[str, str]]) -> None:
        self._predictor = None
        with tempfile.TemporaryDirectory(prefix="tellapart-fit-") as folder:
            table = Path(folder) / "labels.csv"
            write_bytes(table, table_of(rows))
            kept = self.out is not None
            flags = {
                **flags_of(self.get_params(deep=False)),
                "data": table,
                "task": ONE_CLASS,
                "out": os.fspath(self.out) if self.out is not None else os.path.join(folder, "runs"),
                "report": kept,
            }
            say = partial(said, table=table, parameters=self.get_params(deep=False))
            try:
                result = train_as_told(flags, self.settings or {}, None, None, None, reporter=Silent())
            except TellapartError as error:
                error.args = (say(str(error)),)  # nobody has typed a flag, or written that table
                raise
            with storage_errors(result.model):
                self.model_ = result.model.read_bytes()
        self.run_ = result.run if kept else None
        self.test_accuracy_ = result.score
        self.strategy_ = result.strategy
        self.warnings_ = tuple(map(say, result.warnings))


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
