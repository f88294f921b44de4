"""A client of `tellapart serve`. In: pictures. Out: Predictions. Next: asynchronous.py."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tellapart.answers.given import GivenItem, PictureLike
from tellapart.answers.items import PathItem
from tellapart.client.answers import (
    RemoteAnswer,
    RemoteModel,
    ServerError,
    build,
    choose,
    read_models,
    read_rows,
    too_large,
    unsent,
)
from tellapart.client.connection import CONCURRENCY, Connection, failure
from tellapart.client.pictures import Item, gather, group, read
from tellapart.client.proxies import with_proxy
from tellapart.client.retries import LastAnswer, policy
from tellapart.threads import in_order

if TYPE_CHECKING:
    import httpx2


class Client:
    """A client of a server that `tellapart serve` started; safe to use from several threads.

        with tellapart.Client("http://127.0.0.1:8501") as client:
            predictions = client.predict(["a.jpg", "b.png"])
            predictions.labels, predictions.probabilities
        client.predict(["a fine film", "so dull"])  # of a model of texts

    Where the server is starting or stopping (502, 503, no connection), a request is sent again, up to `retries` times; where it is
    busy (429), after the time that it asks for, until nothing has been answered for `timeout` seconds. Other refusals raise
    at once; with `retries=0` all do.
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, timeout: float = 30.0, retries: int = 4, model: str | None = None
    ) -> None:
        """`url` is like http://127.0.0.1:8501; `timeout` in seconds, for one try; `model` if the server has several.

        Raises: SettingsError for what cannot be; MissingExtra without the extra [client]. Nothing is sent yet.
        """
        self._connection = Connection(
            url=url.rstrip("/"), api_key=api_key, timeout=timeout, retries=retries, model=model
        )
        self._progress = LastAnswer()
        import httpx2

        self._http = with_proxy(url, lambda: httpx2.Client(**self._connection.settings()))

    def __reduce__(self) -> tuple[Callable[[Connection], Client], tuple[Connection]]:
        return _connected, (self._connection,)  # in another process it makes connections of its own

    def predict(
        self,
        pictures: PictureLike | Sequence[PictureLike],
        *,
        explain: bool | int = False,
        allow_private: bool = False,
    ) -> Any:
        """What `tellapart.load(...).predict` says of the same pictures, within 1e-5; from the server's newest version.

        It takes the same pictures; those at an http(s) address are fetched here, not by the server, and at a private one only
        with `allow_private`. Many go in several requests. One that cannot be used has its reason in `.errors`. With `explain`,
        `.heatmaps` are PNG files, slow to draw; of a model that finds boxes, of the box with that number, the most certain first
        (None where there is none). A model of texts takes a str, several, or a DataFrame with a column `text`; with `explain`,
        `.reasons` say what each word says. Predictions of a classifier, MultilabelPredictions of a multilabel model.
        Raises: DataError, SettingsError for a model that is not there, ServerError.
        """
        model = self.model()
        answered = list(
            self._stream(gather(pictures, allow_private=allow_private, texts=model.takes_texts), model, explain=explain)
        )
        return build(answered, model, explain=explain)

    def stream(
        self, sources: Iterable[PathItem | GivenItem], model: RemoteModel, *, allow_private: bool = False
    ) -> Iterator[Any]:
        """Answers of the model's task in the order of `sources`, a few requests ahead of the reader and no more.

        Raises: ServerError, while they are read.
        """
        items = (read(source, allow_private=allow_private) for source in sources)
        for one in self._stream(items, model, explain=0):
            yield one.answer

    def models(self) -> list[dict[str, Any]]:
        """Every model that the server has: name, version, classes, scores with intervals, origin. Raises: ServerError."""
        return read_models(self._send(method="GET", url="models"), self._connection)

    def model(self) -> RemoteModel:
        """The model that `predict` asks. Raises: SettingsError when it is not there, or not clear."""
        return choose(self.models(), self._connection)

    def ready(self) -> bool:
        """Whether the server is there and takes requests. Asked once, without retries."""
        import httpx2

        try:
            return self._http.get("health/ready").status_code == 200
        except httpx2.HTTPError:
            return False

    def close(self) -> None:
        """Close the connections; the client is of no use afterwards."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _stream(self, items: Iterable[Item], model: RemoteModel, *, explain: int) -> Iterator[RemoteAnswer]:
        stop = threading.Event()
        # A heatmap takes many runs of the network, so that one picture is enough for a request.
        groups = group(items, most=model.at_once(explain=explain))
        asked = in_order(
            groups,
            lambda each: self._ask(each, model, explain, stop),
            workers=1 if explain else CONCURRENCY,  # the server draws one at a time, and time passes while it waits
            name="client",
            stop=stop,
        )
        with contextlib.closing(asked):
            for answers in asked:
                yield from answers

    def _ask(self, items: list[Item], model: RemoteModel, explain: int, stop: threading.Event) -> list[RemoteAnswer]:
        if stop.is_set():
            return []
        sent = [item for item in items if not item.error]
        answers = iter(self._classify(sent, model, explain, stop))
        return [unsent(item, model) if item.error else next(answers) for item in items]

    def _classify(
        self, items: list[Item], model: RemoteModel, explain: int, stop: threading.Event
    ) -> list[RemoteAnswer]:
        if not items:
            return []
        response = self._send(
            stop, **self._connection.request(model.name, items, explain=explain, texts=model.takes_texts)
        )
        if response.status_code != 413:
            return read_rows(response, items, model, self._connection)
        if len(items) == 1:
            return [too_large(response, items[0], model)]
        half = len(items) // 2
        first = self._classify(items[:half], model, explain, stop)
        return first + self._classify(items[half:], model, explain, stop)

    def _send(self, stop: threading.Event | None = None, **request: Any) -> httpx2.Response:
        """The last answer that came. Raises: ServerError where none did."""
        import httpx2
        import tenacity

        rules = dict(policy(self._connection.retries, patience=self._connection.timeout, progress=self._progress))
        if stop is not None:  # nobody waits for the answer any more
            rules["stop"] = tenacity.stop_any(rules["stop"], tenacity.stop_when_event_set(stop))
            rules["sleep"] = tenacity.sleep_using_event(stop)
        try:
            response: httpx2.Response = tenacity.Retrying(**rules)(self._http.request, **request)
        except httpx2.HTTPError as error:
            raise ServerError(failure(error, self._connection)) from None
        self._progress.note(response.status_code)
        return response


def _connected(connection: Connection) -> Client:
    return Client(
        connection.url,
        api_key=connection.api_key,
        timeout=connection.timeout,
        retries=connection.retries,
        model=connection.model,
    )
