"""What the server said, as rows. In: a response, the items it is about. Out: rows, heatmaps. Next: synchronous.py."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tellapart.answers.items import Row
from tellapart.answers.predictions import Predictions, build_predictions
from tellapart.client.connection import Connection
from tellapart.client.pictures import Item
from tellapart.errors import SettingsError, TellapartError

if TYPE_CHECKING:
    import httpx2


class ServerError(TellapartError):
    """A server cannot be reached, refuses, or answers what no tellapart server answers."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        """`status` is HTTP's; None where no answer came."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RemotePredictions(Predictions):
    """Predictions of a server; with heatmaps if they were asked for."""

    heatmaps: tuple[bytes | None, ...] | None = None  # N, PNG files; None where the picture could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The model that answers."""

    name: str
    classes: tuple[str, ...]  # in the order of the probabilities' columns
    abstention: Mapping[str, Any] | None  # thresholds; None for a model older than them

    @property
    def threshold(self) -> float | None:
        """Of the prediction sets; None for a model that has none."""
        return None if self.abstention is None else float(self.abstention["threshold"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The answer for one picture."""

    row: Row
    heatmap: bytes | None = None  # a PNG file


def read_models(response: httpx2.Response, connection: Connection) -> list[dict[str, Any]]:
    """The list at /models. Raises: ServerError."""
    if response.status_code != 200:
        raise refusal(response, connection)
    try:
        models = response.json()["models"]
        return [{**model, "name": str(model["name"]), "classes": list(model["classes"])} for model in models]
    except (ValueError, KeyError, TypeError):
        raise _stranger(connection) from None


def choose(models: Sequence[Mapping[str, Any]], connection: Connection) -> Served:
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
    model = models[names.index(wanted)]
    return Served(name=wanted, classes=tuple(model["classes"]), abstention=model.get("abstention"))


def read_rows(
    response: httpx2.Response, items: Sequence[Item], served: Served, connection: Connection
) -> list[Answered]:
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
        return [_read_row(row, item, served) for row, item in zip(rows, items, strict=True)]
    except _OtherClasses:
        raise ServerError(
            f"the model {served.name!r} at {connection.url} was exchanged for one with other classes. Ask again."
        ) from None
    except (KeyError, TypeError, ValueError):
        raise _stranger(connection) from None


def unsent(item: Item) -> Answered:
    """The row of a picture that the client itself could not use."""
    return Answered(row=Row(path=item.name, probabilities=None, error=item.error))


def too_large(response: httpx2.Response, item: Item) -> Answered:
    """The row of a picture that alone is more than the server takes."""
    return Answered(row=Row(path=item.name, probabilities=None, error=_message(response).rstrip(".")))


def build(answered: Sequence[Answered], served: Served, *, explain: bool) -> RemotePredictions:
    """All answers together, as `tellapart.load(...).predict` gives them."""
    rows = [one.row for one in answered]
    unread = np.full(len(served.classes), np.nan, dtype=np.float32)
    probabilities = [unread if row.probabilities is None else row.probabilities for row in rows]
    abstained: dict[str, Any] = {}
    if served.abstention is not None:
        abstained = {
            "sets": [row.members or () for row in rows],
            "unknown": [bool(row.unknown) for row in rows],
            "novelty": [np.nan if row.novelty is None else row.novelty for row in rows],
        }
    built = build_predictions(
        paths=[row.path for row in rows],
        probabilities=np.array(probabilities, dtype=np.float32),
        errors=[row.error for row in rows],
        classes=served.classes,
        **abstained,
    )
    heatmaps = tuple(one.heatmap for one in answered) if explain else None
    return RemotePredictions(
        paths=built.paths,
        probabilities=built.probabilities,
        labels=built.labels,
        errors=built.errors,
        classes=built.classes,
        sets=built.sets,
        unknown=built.unknown,
        novelty=built.novelty,
        heatmaps=heatmaps,
    )


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


class _OtherClasses(Exception):
    pass


def _read_row(row: Mapping[str, Any], item: Item, served: Served) -> Answered:
    if row.get("error"):
        return Answered(row=Row(path=item.name, probabilities=None, error=str(row["error"])))
    column = {name: index for index, name in enumerate(served.classes)}
    found = {one["label"]: float(one["probability"]) for one in row["classes"]}
    if found.keys() != column.keys():
        raise _OtherClasses
    probabilities: NDArray[np.float32] = np.array([found[name] for name in served.classes], dtype=np.float32)
    members = None if row["set"] is None else tuple(column[name] for name in row["set"])
    novelty = None if row["novelty"] is None else float(row["novelty"])
    drawn = row.get("heatmap")
    return Answered(
        row=Row(
            path=item.name,
            probabilities=probabilities,
            members=members,
            novelty=novelty,
            # As for a model opened here: what has no threshold finds nothing unknown.
            unknown=None if novelty is None else bool(row["unknown"]),
        ),
        heatmap=None if drawn is None else base64.b64decode(drawn.partition(",")[2], validate=True),
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
