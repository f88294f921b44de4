"""What answers a prediction: a model file here, or a server. In: names, flags. Out: Answerer. Next: answers/predictor.py."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tellapart.answers.answering import Answering
    from tellapart.answers.given import GivenItem
    from tellapart.answers.items import PathItem
    from tellapart.answers.thresholds import Thresholds
    from tellapart.preprocessing import Preprocessing

_RETRIES = 8  # a run over thousands of pictures should not end because others kept the server busy for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """What predicts."""

    answering: Answering[Any, Any]
    classes: tuple[str, ...]
    stream: Callable[[Iterator[PathItem | GivenItem]], Iterator[Any]]  # pictures -> answers
    inputs: Preprocessing | None = None  # how it reads pictures; None where that is not known
    of_texts: bool = False  # what is answered are texts, and no pictures
    note: str = ""  # what a person should know of how it decides


@contextlib.contextmanager
def open_model_here(model: str, *, thresholds: Thresholds | None, allow_private: bool) -> Iterator[Answerer]:
    """A model.onnx or a run's folder. Raises: ModelFileError, StorageError; SettingsError for thresholds that cannot be."""
    from tellapart.answers.predictor import load_predictor
    from tellapart.answers.thresholds import told_thresholds

    predictor = load_predictor(model, thresholds)
    yield Answerer(
        answering=predictor.answering,
        classes=predictor.classes,
        stream=lambda found: predictor.stream(found, allow_private=allow_private),
        inputs=predictor.manifest.preprocessing.plain() if predictor.takes_pictures else None,
        of_texts=not predictor.takes_pictures,
        note=told_thresholds(predictor.manifest.record, predictor.record, predictor.classes),
    )


@contextlib.contextmanager
def open_server(url: str, *, name: str | None, key_file: Path | None, allow_private: bool) -> Iterator[Answerer]:
    """A `tellapart serve`, and which of its models. Raises: SettingsError, ServerError, StorageError."""
    from tellapart.client.connection import read_key
    from tellapart.client.synchronous import Client

    key = None if key_file is None else read_key(key_file)
    with Client(url, api_key=key, model=name, retries=_RETRIES) as client:
        remote = client.model()
        yield Answerer(
            answering=remote.answering,
            classes=remote.classes,
            stream=lambda found: client.stream(found, remote, allow_private=allow_private),
            of_texts=remote.takes_texts,
        )
