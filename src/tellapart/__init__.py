"""tellapart: a folder of labelled pictures becomes a trained, honestly tested, deployable image classifier.

    import tellapart

    result = tellapart.train("cats_and_dogs/")
    print(result.accuracy.value, result.accuracy.low, result.accuracy.high)

    classifier = tellapart.load(result.model)
    predictions = classifier.predict(["a.jpg", "b.png"])  # or bytes, PIL images, arrays, tensors, a DataFrame
    predictions.labels, predictions.probabilities  # names, float32 [N, K]; of several classes a picture: .label_sets
    # of a model that finds boxes: .boxes float32 [n, 4], .scores, .labels of each picture; .to_rows() is one row a box
    # of a model that makes masks: .masks uint8 [H, W], .certainties, .areas [N, K]; .to_rows() is one row a class

    estimator = tellapart.Classifier(strategy="probe")  # of scikit-learn: cross_val_score, GridSearchCV, Pipeline
    estimator.fit(paths, labels).predict(paths)

    client = tellapart.Client("http://127.0.0.1:8501")  # of `tellapart serve`; AsyncClient for asyncio
    client.predict(["a.jpg", "b.png"])

    try:
        tellapart.train("nothing/")
    except tellapart.TellapartError as error:  # the root of all that we raise; its text says value, rule and remedy
        print(error)

`load` needs only the bare package; `train`, `Classifier`, `evaluate`, `check`, `explain` and `report` need the extra: pip install
"tellapart[train]", `search` "tellapart[search,train]"; the clients need "tellapart[client]".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tellapart.errors import TellapartError

if TYPE_CHECKING:
    from tellapart.answers.predictor import Predictor
    from tellapart.bundle import TaskName
    from tellapart.client.asynchronous import AsyncClient
    from tellapart.client.synchronous import Client
    from tellapart.data.set_cells import Separator
    from tellapart.runs.explained import Explanation
    from tellapart.runs.result import TrainResult
    from tellapart.workflows.estimator import Classifier
    from tellapart.workflows.evaluate import EvaluateResult
    from tellapart.workflows.report import WrittenReport
    from tellapart.workflows.searching.outcome import SearchResult

__all__ = [
    "AsyncClient",
    "Classifier",
    "Client",
    "TellapartError",
    "__version__",
    "check",
    "evaluate",
    "explain",
    "load",
    "report",
    "search",
    "train",
]

# ONNX Runtime's official builds send usage reports to its makers unless this is set when they are loaded. What our users
# classify is theirs; who wants the reports sets 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PathLike = str | os.PathLike[str]
# What `train` is told that is no line of a recipe.
_OF_A_SEARCH = ("tries", "space", "how", "pruner", "trials", "budget")
_NO_SETTINGS = ("recipe", "resume", "moved", "settings", "progress", "small")


def __getattr__(name: str) -> Any:
    if name == "__version__":
        import importlib.metadata

        return importlib.metadata.version("tellapart")
    if name == "Client":
        from tellapart.client.synchronous import Client

        return Client
    if name == "AsyncClient":
        from tellapart.client.asynchronous import AsyncClient

        return AsyncClient
    if name == "Classifier":
        return _classifier()
    raise AttributeError(f"module 'tellapart' has no attribute {name!r}")


def _classifier() -> type[Classifier]:
    """Raises: MissingFormat without scikit-learn."""
    import importlib.util

    from tellapart.errors import MissingFormat

    if importlib.util.find_spec("sklearn") is None:
        raise MissingFormat("tellapart.Classifier", "train", "sklearn")
    from tellapart.workflows.estimator import Classifier

    return Classifier


def train(
    pictures: _PathLike | None = None,
    *,
    labels: _PathLike | None = None,
    out: _PathLike | None = None,
    task: TaskName | None = None,
    label_separator: Separator | None = None,
    reading: Mapping[str, Any] | None = None,
    value_range: str | None = None,
    strategy: Literal["auto", "probe", "finetune", "scratch"] | None = None,
    budget: str | None = None,
    backbone: str | None = None,
    weights: _PathLike | None = None,
    embeddings: _PathLike | None = None,
    base: _PathLike | None = None,
    class_weights: Literal["none", "balanced"] | None = None,
    coverage: float | None = None,
    precision: float | None = None,
    split: str | Sequence[float] | None = None,
    validation: str | float | None = None,
    test_from: Literal["validation"] | None = None,
    limit: int | None = None,
    folds: int | None = None,
    kfold: int | None = None,
    fold_column: str | None = None,
    repeats: int | None = None,
    kfold_keep: Literal["one", "ensemble"] | None = None,
    unfreeze: str | float | None = None,
    views: int | None = None,
    network: str | None = None,
    tiles: bool | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    learning_rate: float | None = None,
    augment: Literal["none", "light", "medium", "strong", "trivial", "randaugment"] | None = None,
    seed: int | None = None,
    strict: bool | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] | None = None,
    engine: Literal["auto", "onnxruntime", "openvino", "openvino-bfloat16"] | None = None,
    report: bool | None = None,
    language: Literal["en", "zh"] | None = None,
    recipe: _PathLike | None = None,
    resume: _PathLike | None = None,
    moved: _PathLike | None = None,
    settings: Mapping[str, Any] | None = None,
    small: str | None = None,
    progress: bool = False,
) -> TrainResult:
    """Train, test and write a run, as `tellapart train` does; what is None is as `tellapart train --help` says.

    `pictures` is a folder of class folders, a folder already split, or a CSV with path,label[,split][,group]; for several
    labels a picture a CSV with path,labels, or with a column of 0 and 1 for each class.
    `task` says what is learned, "classification" or "multilabel"; None: found from the data.
    `reading` says how a table or folder is read, by the names of the flags: {"encoding": "cp1252", "label_column": "kind", "root":
    "pictures/"}; path_column, split_column, group_column, extension, label_from, train_split, merge_names and, of masks,
    classes and ignore_label are the others.
    `value_range`, "0:4095", is what is black and white in pictures of more than 8 bits; None: found.
    `backbone` is a name, "auto", or several with commas between, of which cross-validation takes one.
    `embeddings`, of texts, is a folder with a network of sentences (model.onnx and tokenizer.json), or its name on the hub.
    `base` is a finished run whose network is trained on, with its settings where nothing else is said.
    `labels` is a CSV with path,label that corrects labels, as `tellapart check --labels --out` writes it.
    `split` is (0.8, 0.1, 0.1) or "80/10/10", `validation` a share of what is train, `test_from` "validation" where that split was
    given and no test; `limit` looks at so many pictures, drawn at random.
    `kfold` tests every picture once, by as many trainings, `repeats` times with other folds; `fold_column` names the column of a
    table that says the folds. `score` is then of all pictures, `folds` of the result has each fold's; `kfold_keep` says whether the
    model is one more network, trained on all but a validation split, or the mean of the K.
    `recipe` is the recipe.toml of a run to repeat; what else is given wins. `resume` is the folder of a stopped run to go on with,
    `moved` where its pictures lie now; beside them only `report` and `language` may be given.
    `small`, "5ms" for one picture on one thread or "4MB" of model.onnx: the best within that bound on this machine. The result is
    then of the finished file, in float32 or in 8-bit integers, and `backbones` has all that was compared.
    `settings` holds further lines of a recipe, table by table or by their whole names: {"loop": {"epochs": 5},
    "augment.preset": "medium"}.
    More processes than this one read pictures only if you ask: {"loop": {"workers": 4}}, in a script that guards its main
    part with `if __name__ == "__main__"`.
    `progress` shows bars and the audit's findings on standard error.
    Raises: a subclass of tellapart.TellapartError whose text says value, rule and remedy.
    """
    # By the names above, so that what is added there is handed on; nothing else has a name here yet.
    given = {name: value for name, value in locals().items() if name not in _NO_SETTINGS}
    from tellapart.cli.console import make_reporter
    from tellapart.workflows.calling import train_as_told

    given = {"data": given.pop("pictures"), **given, "reading": None if reading is None else dict(reading)}
    paths = [None if path is None else Path(path) for path in (recipe, resume, moved)]
    return train_as_told(given, settings or {}, *paths, reporter=make_reporter(quiet=not progress), small=small)


def search(
    pictures: _PathLike | None = None,
    *,
    tries: Mapping[str, Any] | None = None,
    space: _PathLike | None = None,
    how: Literal["grid", "random", "tpe"] = "tpe",
    pruner: Literal["median", "halving", "none"] = "median",
    trials: int | None = None,
    budget: str | None = None,
    out: _PathLike | None = None,
    labels: _PathLike | None = None,
    task: TaskName | None = None,
    label_separator: Separator | None = None,
    reading: Mapping[str, Any] | None = None,
    strategy: Literal["auto", "probe", "finetune", "scratch"] | None = None,
    backbone: str | None = None,
    epochs: int | None = None,
    seed: int | None = None,
    device: Literal["auto", "cpu", "cuda", "mps"] | None = None,
    report: bool | None = None,
    language: Literal["en", "zh"] | None = None,
    settings: Mapping[str, Any] | None = None,
    recipe: _PathLike | None = None,
    resume: _PathLike | None = None,
    progress: bool = False,
) -> SearchResult:
    """Search for the best settings, train the winner once more and test it, as `tellapart search` does. Extra: search.

    `tries` holds what to try by whole keys of a recipe: {"loop.learning_rate": [1e-3, 1e-2], "probe.strength": {"low": 1e-4,
    "high": 1.0, "log": True}}; `space` is a TOML file with more of it. None of either: what is usual for the strategy.
    `settings` stay the same in all trials. `resume` is the folder of a stopped search; nothing else is given beside it.
    Of the result `best` has the settings that won, `validation` the figure by which they did, `score` that of the test split, which
    chose nothing, `trials` all that was tried, `optimism` what validation flattered, `result` what `train` gives.
    Raises: a subclass of tellapart.TellapartError whose text says value, rule and remedy.
    """
    given = {name: value for name, value in locals().items() if name not in (*_NO_SETTINGS, *_OF_A_SEARCH)}
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require
    from tellapart.settings.space import read_space, space_of

    require("search", "train", "search")
    from tellapart.workflows.calling import search_as_told
    from tellapart.workflows.searching.outcome import SearchPlan

    tried = ({} if space is None else read_space(Path(space))) | ({} if tries is None else space_of(tries))
    plan = SearchPlan(space=tried or None, how=how, pruner=pruner, trials=trials, budget=budget)
    given = {"data": given.pop("pictures"), **given, "reading": None if reading is None else dict(reading)}
    begun, repeated = (None if path is None else Path(path) for path in (resume, recipe))
    return search_as_told(given, settings or {}, repeated, begun, plan, reporter=make_reporter(quiet=not progress))


def load(model: _PathLike, *, thresholds: float | Mapping[str, float] | None = None) -> Predictor:
    """Open a model.onnx or a run's folder; `.predict(pictures)` gives what `tellapart predict` tells, by the model's task.

    imagenet:NAME is a pretrained network with the 1,000 classes of ImageNet, in English and Chinese.

    `thresholds`, in [0, 1], take the place of the model's, where it has some: one for all classes, or those of some by name.
    Raises: ModelFileError when the file is not ours, cut short, altered, or too new; SettingsError for thresholds that cannot be.
    """
    from tellapart.answers.predictor import load_predictor
    from tellapart.models.catalog import IMAGENET

    if str(model).startswith(IMAGENET):
        from tellapart.workflows.pretrained import named_model

        model = named_model(str(model))
    return load_predictor(model, thresholds)


def evaluate(
    model: _PathLike,
    pictures: _PathLike,
    *,
    split: Literal["train", "validation", "test"] | None = None,
    task: TaskName | None = None,
    label_separator: Separator | None = None,
    reading: Mapping[str, Any] | None = None,
    out: _PathLike | None = None,
) -> EvaluateResult:
    """Score a model on labelled pictures, as `tellapart evaluate` does; `reading` is as for `train`.

    `task`, the model's own, says that the pictures are for that where they look like another task's. `.notes` of the result says
    how they were read, where that is not plain. `out` is a file, which may not be there yet, for what the model says of each
    picture beside the truth: a CSV as a run's predictions.csv, or of boxes JSON lines.

    Raises: DataError, ModelFileError, SettingsError, StorageError.
    """
    from tellapart.reporter import Silent
    from tellapart.settings.reading import read_options
    from tellapart.storage import check_free
    from tellapart.workflows.evaluate import evaluate as run_evaluation

    options = read_options(pictures, task=task, label_separator=label_separator, reading=reading)
    file = None if out is None else Path(out)
    if file is not None:
        check_free(file)
    return run_evaluation(Path(model), Path(pictures), split=split, reporter=Silent(), options=options, out=file)


def explain(
    model: _PathLike,
    pictures: _PathLike | Sequence[_PathLike],
    *,
    methods: Sequence[str] = (),
    layer: str | None = None,
    class_name: str | None = None,
    box: int | None = None,
    out: _PathLike | None = None,
    neighbours: int = 6,
    moved: _PathLike | None = None,
    force: bool = False,
    progress: bool = False,
) -> Explanation:
    """Draw heatmaps of picture files, as `tellapart explain` does; `.pictures` has one Explained a picture, with its files.

    `methods` are gradcam, gradcam++, scorecam, stages, occlusion, integrated_gradients or all; none: what fits the network. `layer`
    is looked at instead of the last map, `class_name` explained instead of the most probable class.
    Of a model that finds boxes, `box` says which one, from 1, the most certain first. `out` is a folder, None a new
    one in ./explanations; what is there is replaced only with `force`. `moved` is where the training pictures lie now,
    if they were moved.
    Raises: SettingsError, ModelFileError, DataError, StorageError.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.runs.open import OpenRun
    from tellapart.workflows.explain import explain as run_explanation

    several = [pictures] if isinstance(pictures, str | os.PathLike) else list(pictures)
    return run_explanation(
        OpenRun(Path(model), pictures=None if moved is None else Path(moved)),
        [os.fspath(one) for one in several],
        methods=tuple(methods),
        layer=layer,
        class_name=class_name,
        out=None if out is None else Path(out),
        neighbours=neighbours,
        force=force,
        reporter=make_reporter(quiet=not progress),
        tell=lambda one: None,
        box=box,
    )


def report(
    run: _PathLike,
    *,
    language: Literal["en", "zh"] | None = None,
    out: _PathLike | None = None,
    pictures: _PathLike | None = None,
    progress: bool = False,
) -> WrittenReport:
    """Make the report of a finished run again, as `tellapart report` does; `pictures` is where its pictures lie now, if moved.

    Raises: SettingsError, DataError, ModelFileError, StorageError.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.features.caching import open_cache
    from tellapart.reporting.phrases import language_of
    from tellapart.workflows.report import write_report

    reporter = make_reporter(quiet=not progress)
    with open_cache(reporter) as cache:
        return write_report(
            Path(run),
            language=language_of(language),
            cache=cache,
            reporter=reporter,
            out=None if out is None else Path(out),
            pictures=None if pictures is None else Path(pictures),
        )


def check(
    pictures: _PathLike,
    *,
    labels: bool = False,
    deep: bool = False,
    tiles: bool = False,
    task: TaskName | None = None,
    label_separator: Separator | None = None,
    reading: Mapping[str, Any] | None = None,
    value_range: str | None = None,
) -> dict[str, Any]:
    """Audit pictures and return what `tellapart check --json` prints; with `labels` what `--labels` adds.

    Augmented copies are looked for with `deep` or `labels`, or where that was done before. With `tiles` doubtful boxes of large
    pictures are looked for in tiles of their own pixels.
    `task`, `label_separator` and `reading` are as for `train`; `value_range` is the flag --range: "0:4095".

    Raises: DataError, BackboneError, SettingsError, StorageError.
    """
    from tellapart.data.audit import audit_json
    from tellapart.reporter import Silent
    from tellapart.settings.reading import read_options
    from tellapart.workflows.check import check as run_check

    options = read_options(
        pictures, task=task, label_separator=label_separator, reading=reading, value_range=value_range
    )
    if not labels:
        return audit_json(run_check(Path(pictures), deep=deep, reporter=Silent(), options=options).audit)
    from tellapart.workflows.labels import doubt_labels

    doubtful = doubt_labels(Path(pictures), tiles=tiles, reporter=Silent(), options=options)
    return audit_json(doubtful.examined.audit) | {"labels": doubtful.as_json()}
