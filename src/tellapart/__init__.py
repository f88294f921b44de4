"""tellapart: a folder of labelled pictures becomes a trained, honestly tested, deployable image classifier.

    import tellapart

    result = tellapart.train("cats_and_dogs/")
    print(result.accuracy.value, result.accuracy.low, result.accuracy.high)

    classifier = tellapart.load(result.model)
    predictions = classifier.predict(["a.jpg", "b.png"])
    predictions.labels, predictions.probabilities  # names, float32 [N, K]; of several classes a picture: .label_sets

    client = tellapart.Client("http://127.0.0.1:8501")  # of `tellapart serve`; AsyncClient for asyncio
    client.predict(["a.jpg", "b.png"])

`load` needs only the bare package; `train`, `evaluate` and `check` need the extra: pip install "tellapart[train]"; the
clients need "tellapart[client]".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tellapart.answers.predictor import Predictor
    from tellapart.bundle import TaskName
    from tellapart.client.asynchronous import AsyncClient
    from tellapart.client.synchronous import Client
    from tellapart.runs.result import TrainResult
    from tellapart.workflows.evaluate import EvaluateResult

__all__ = ["AsyncClient", "Client", "__version__", "check", "evaluate", "load", "train"]

# ONNX Runtime's official builds send usage reports to its makers unless this is set when they are loaded. What our users
# classify is theirs; who wants the reports sets 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_PathLike = str | os.PathLike[str]


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
    raise AttributeError(f"module 'tellapart' has no attribute {name!r}")


def train(
    pictures: _PathLike,
    *,
    labels: _PathLike | None = None,
    out: _PathLike = "runs",
    strategy: Literal["auto", "probe", "finetune", "scratch"] = "auto",
    budget: str | None = None,
    backbone: str = "tf_efficientnet_lite0",
    weights: _PathLike | None = None,
    class_weights: Literal["none", "balanced"] = "none",
    seed: int = 0,
    strict: bool = False,
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto",
    folds: int = 5,
    report: bool = True,
    settings: Mapping[str, Any] | None = None,
    progress: bool = False,
    task: TaskName | None = None,
) -> TrainResult:
    """Train, test and write a run, as `tellapart train` does.

    `pictures` is a folder of class folders, a folder already split, or a CSV with path,label[,split][,group]; for several
    labels a picture a CSV with path,labels, or with a column of 0 and 1 for each class.
    `task` says what is learned, "classification" or "multilabel"; None: found from the data.
    `labels` is a CSV with path,label that corrects labels, as `tellapart check --labels --out` writes it.
    `report` writes report.html into the run's folder.
    `settings` holds further lines of a recipe, table by table: {"loop": {"epochs": 5}, "augment": {"preset": "medium"}}.
    More processes than this one read pictures only if you ask: {"loop": {"workers": 4}}, in a script that guards its main
    part with `if __name__ == "__main__"`.
    `progress` shows bars and the audit's findings on standard error.
    Raises: a subclass of tellapart.errors.TellapartError whose text says value, rule and remedy.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.settings.reading import make_settings, merge
    from tellapart.workflows.train import train as run_training

    chosen = merge(
        {
            "data": os.fspath(pictures),
            "task": task,
            "labels": None if labels is None else os.fspath(labels),
            "out": os.fspath(out),
            "strategy": strategy,
            "budget": budget,
            "backbone": backbone,
            "weights": None if weights is None else os.fspath(weights),
            "class_weights": class_weights,
            "seed": seed,
            "strict": strict,
            "device": device,
            "folds": folds,
            "report": report,
            # Worker processes would run a plain script that calls this again, from its first line.
            "loop": {"workers": 0},
        },
        dict(settings or {}),
    )
    return run_training(make_settings(chosen), reporter=make_reporter(quiet=not progress))


def load(model: _PathLike) -> Predictor:
    """Open a model.onnx or a run's folder; `.predict(paths)` gives Predictions, as `tellapart predict` does.

    Raises: ModelFileError when the file is not ours, cut short, altered, or too new.
    """
    from tellapart.answers.predictor import load_predictor

    return load_predictor(model)


def evaluate(
    model: _PathLike, pictures: _PathLike, *, split: Literal["train", "validation", "test"] | None = None
) -> EvaluateResult:
    """Score a model on labelled pictures, as `tellapart evaluate` does. Raises: DataError, ModelFileError."""
    from tellapart.reporter import Silent
    from tellapart.workflows.evaluate import evaluate as run_evaluation

    return run_evaluation(Path(model), Path(pictures), split=split, reporter=Silent())


def check(
    pictures: _PathLike, *, labels: bool = False, deep: bool = False, task: TaskName | None = None
) -> dict[str, Any]:
    """Audit pictures and return what `tellapart check --json` prints; with `labels` what `--labels` adds.

    Augmented copies are looked for with `deep` or `labels`, or where that was done before.

    `task` is as for `train`.

    Raises: DataError, BackboneError, StorageError.
    """
    from tellapart.data.audit import audit_json
    from tellapart.data.examples import ReadOptions
    from tellapart.reporter import Silent
    from tellapart.workflows.check import check as run_check

    options = ReadOptions(task=task)
    if not labels:
        return audit_json(run_check(Path(pictures), deep=deep, reporter=Silent(), options=options).audit)
    from tellapart.workflows.labels import doubt_labels

    doubtful = doubt_labels(Path(pictures), reporter=Silent(), options=options)
    return audit_json(doubtful.examined.audit) | {"labels": doubtful.as_json()}
