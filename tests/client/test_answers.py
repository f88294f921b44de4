"""What servers of other versions say. In: prepared answers. Out: predictions, or a reason that names the remedy."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tellapart
from tellapart.answers.predictions import MultilabelPredictions
from tellapart.client.answers import ServerError

from ..serving.conftest import png  # noqa: TID252
from .conftest import Script

ROW = {"set": None, "unknown": None, "novelty": 2.5, "classes": [{"label": "b", "probability": 1.0}]}
ROW["classes"] += [{"label": "a", "probability": 0.0}]
SEVERAL = {"labels": ["b"], "probabilities": {"a": 0.25, "b": 0.75}, "unknown": None, "novelty": 0.5}


def predict(script: Script, row: dict[str, Any], **model: Any) -> Any:
    models = {"models": [{"name": "one", "classes": ["a", "b"], **model}]}
    bodies = [models, {"model": "one", "version": 1, "predictions": [row]}]
    server = script(*((200, {}, json.dumps(body).encode()) for body in bodies))
    with tellapart.Client(server.url) as client:
        return client.predict(png((1, 2, 3)))


def test_a_server_older_than_tasks_has_classifiers(script: Script) -> None:
    limits = {"threshold": 0.5, "novelty_threshold": 1.0}
    found = predict(script, {**ROW, "set": ["b"], "unknown": True}, abstention=limits)
    assert (found.labels, found.sets, found.unknown.tolist()) == (("b",), (("b",),), [True])
    oldest = predict(script, ROW, abstention=None)
    assert (oldest.labels, oldest.sets, oldest.unknown, oldest.novelty) == (("b",), None, None, None)


def test_what_the_server_cannot_tell_is_none(script: Script) -> None:
    """It was False here, and null in the server's own words."""
    told = {"kind": "classification", "temperature": 1.0, "abstention": {"threshold": 0.5, "novelty_threshold": None}}
    found = predict(script, {**ROW, "set": ["b"]}, task="classification", record=told)
    assert found.sets == (("b",),)
    assert found.unknown is None
    assert found.novelty.tolist() == [2.5]


def test_what_a_newer_server_tells_besides_is_no_matter(script: Script) -> None:
    told = {"kind": "multilabel", "thresholds": [0.5, 0.5], "novelty_threshold": None, "from_the_future": 1}
    found = predict(script, {**SEVERAL, "more": 1}, task="multilabel", record=told, more=1)
    assert isinstance(found, MultilabelPredictions)
    assert (found.label_sets, found.unknown) == ((("b",),), None)
    assert found.probabilities.tolist() == [[0.25, 0.75]]


def test_a_task_that_is_not_known_is_named(script: Script) -> None:
    with pytest.raises(
        ServerError, match="'one' at .* is of the task 'painting', which this client does not know. Upgr"
    ):
        predict(script, SEVERAL, task="painting", record={})


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({**SEVERAL, "probabilities": {"a": 0.25}}, "was exchanged for one with other classes. Ask again."),
        ({**SEVERAL, "labels": None}, "is not `tellapart serve`, or another version of it"),
        ({"labels": ["b"]}, "is not `tellapart serve`, or another version of it"),
        (ROW, "is not `tellapart serve`, or another version of it"),
    ],
)
def test_rows_that_cannot_be_are_refused(script: Script, row: dict[str, Any], words: str) -> None:
    with pytest.raises(ServerError, match=words):
        predict(script, row, task="multilabel", record={"novelty_threshold": None})
