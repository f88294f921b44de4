"""What the server said, as answers. In: a response, the items it is about. Out: answers, heatmaps. Next: synchronous.py."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tellapart.answers.answering import Answer, Answering, OtherClasses, Told
from tellapart.answers.table import ANSWERINGS, BEFORE_TASKS
from tellapart.client.connection import Connection
from tellapart.client.pictures import MOST_PICTURES, MOST_TEXTS, Item
from tellapart.errors import SettingsError, TellapartError

if TYPE_CHECKING:
    import httpx2


class ServerError(TellapartError):
    """A server cannot be reached, refuses, or answers what no tellapart server answers."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """`status` is HTTP's; None where no answer came."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """The model that answers."""

    name: str
    answering: Answering[Any, Any]  # of its task
    classes: tuple[str, ...]  # in the order of the probabilities' columns
    told: Told  # what its task records of it, thresholds among that

    @property
    def takes_texts(self) -> bool:
        """Whether it answers texts, and no pictures."""
        return self.answering.item == "text"

    def at_once(self, *, explain: int) -> int:
        """How much goes in one request; what is explained costs many runs of the network."""
        return 1 if explain else MOST_TEXTS if self.takes_texts else MOST_PICTURES


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAnswer:
    """The answer for one picture, and the heatmap if it was asked for; of a text, what its words say."""

    answer: Answer
    heatmap: bytes | None = None  # a PNG file
    reason: Mapping[str, Any] | None = None


def read_models(response: httpx2.Response, connection: Connection) -> list[dict[str, Any]]:
    """The list at /models. Raises: ServerError."""
    if response.status_code != 200:
        raise refusal(response, connection)
    try:
        models = response.json()["models"]
        return [{**model, "name": str(model["name"]), "classes": list(model["classes"])} for model in models]
    except (ValueError, KeyError, TypeError):
        raise _stranger(connection) from None


def choose(models: Sequence[Mapping[str, Any]], connection: Connection) -> RemoteModel:
    """The model that was asked for, or the only one. Raises: SettingsError, ServerError."""
    names = [model["name"] for model in models]
    if not names:
        raise ServerError(f"the server at {connection.url} serves no model now. Look at its log.", status=503)
    wanted = connection.model
    if wanted is None and len(names) == 1:
        wanted = names[0]
    if wanted is None or wanted not in names:
        what = f"there is no model {wanted!r}" if wanted is not None else f"there are {len(names)} models"
        raise SettingsError(f"{what} at {connection.url}. Name one of these: {', '.join(names)[:500]}.")
    found = models[names.index(wanted)]
    # A server older than tasks has classifiers, and tells their thresholds alone.
    task = found.get("task", BEFORE_TASKS)
    if task not in ANSWERINGS:
        raise ServerError(
            f"the model {wanted!r} at {connection.url} is of the task {task!r}, which this client does not know. Upgrade tellapart."
        )
    told = found.get("record") or {"abstention": found.get("abstention")}
    return RemoteModel(name=wanted, answering=ANSWERINGS[task], classes=tuple(found["classes"]), told=told)


def read_rows(
    response: httpx2.Response, items: Sequence[Item], model: RemoteModel, connection: Connection
) -> list[RemoteAnswer]:
    """One answer an item that was sent. Raises: ServerError."""
    try:
        body = response.json()
    except ValueError:
        body = None
    rows = body.get("predictions") if isinstance(body, dict) else None
    # 400 with rows: no picture could be used, and each row says why.
    if response.status_code not in (200, 400) or (response.status_code == 400 and rows is None):
        raise refusal(response, connection)
    try:
        if not isinstance(rows, list) or len(rows) != len(items):
            raise _stranger(connection)
        return [_read_row(row, item, model) for row, item in zip(rows, items, strict=True)]
    except OtherClasses:
        raise ServerError(
            f"the model {model.name!r} at {connection.url} was exchanged for one with other classes. Ask again."
        ) from None
    except (KeyError, TypeError, ValueError):
        raise _stranger(connection) from None


def unsent(item: Item, model: RemoteModel) -> RemoteAnswer:
    """The answer for a picture that the client itself could not use."""
    return RemoteAnswer(answer=model.answering.unread(item.error, path=item.name, classes=model.classes))


def too_large(response: httpx2.Response, item: Item, model: RemoteModel) -> RemoteAnswer:
    """The answer for a picture that alone is more than the server takes."""
    error = _message(response).rstrip(".")
    return RemoteAnswer(answer=model.answering.unread(error, path=item.name, classes=model.classes))


def build(answers: Sequence[RemoteAnswer], model: RemoteModel, *, explain: int) -> Any:
    """All answers together, as `tellapart.load(...).predict` gives them, and the heatmaps, or reasons, if they were asked for."""
    found = model.answering.collect([one.answer for one in answers], classes=model.classes, told=model.told)
    if explain and model.takes_texts:
        return replace(found, reasons=tuple(one.reason for one in answers))
    return replace(found, heatmaps=tuple(one.heatmap for one in answers)) if explain else found


def refusal(response: httpx2.Response, connection: Connection) -> ServerError:
    """The server's own words, with what a client can do about them."""
    status, said = response.status_code, _message(response)
    if 300 <= status < 400:
        where = response.headers.get("Location", "elsewhere")[:200]
        text = f"{connection.url} sends its visitors to {where}. Give that address."
    elif status == 401:
        text = f"the server at {connection.url} refuses: {said} Give it in api_key, or --api-key-file."
    elif status in (429, 503):
        text = f"the server at {connection.url} is busy or stopping, and still was at the last try: {said}"
    elif status >= 500:
        text = f"the server at {connection.url} failed with status {status}: {said}"
    else:
        text = f"the server at {connection.url} refuses with status {status}: {said}"
    return ServerError(text, status=status)


def _read_row(row: Mapping[str, Any], item: Item, model: RemoteModel) -> RemoteAnswer:
    if row.get("error"):
        error = str(row["error"])
        return RemoteAnswer(answer=model.answering.unread(error, path=item.name, classes=model.classes))
    drawn = row.get("heatmap")
    return RemoteAnswer(
        answer=model.answering.read(row, path=item.name, classes=model.classes, told=model.told),
        heatmap=None if drawn is None else base64.b64decode(drawn.partition(",")[2], validate=True),
        reason=row.get("reason"),
    )


def _message(response: httpx2.Response) -> str:
    try:
        said = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        said = response.text
    words = " ".join(str(said).split())[:600] or response.reason_phrase or "it gives no reason."
    return words if words.endswith((".", "!", "?")) else words + "."


def _stranger(connection: Connection) -> ServerError:
    return ServerError(
        f"what answers at {connection.url} is not `tellapart serve`, or another version of it. Check the address."
    )
