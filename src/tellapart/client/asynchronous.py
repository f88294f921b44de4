"""The same client for asyncio. In: pictures. Out: Predictions. Next: cli/predict.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from tellapart.answers.given import PictureLike
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
from tellapart.client.pictures import Item, gather, group
from tellapart.client.proxies import with_proxy
from tellapart.client.retries import LastAnswer, policy
from tellapart.errors import TellapartError

if TYPE_CHECKING:
    import httpx2


class AsyncClient:
    """As `tellapart.Client`, with methods to await; a few requests are under way at a time.

    async with tellapart.AsyncClient("http://127.0.0.1:8501") as client:
        predictions = await client.predict(["a.jpg", "b.png"])
    """

    def __init__(
        self, url: str, *, api_key: str | None = None, timeout: float = 30.0, retries: int = 4, model: str | None = None
    ) -> None:
        """As for `tellapart.Client`."""
        self._connection = Connection(
            url=url.rstrip("/"), api_key=api_key, timeout=timeout, retries=retries, model=model
        )
        self._progress = LastAnswer()
        import httpx2

        self._http = with_proxy(url, lambda: httpx2.AsyncClient(**self._connection.settings()))

    async def predict(
        self,
        pictures: PictureLike | Sequence[PictureLike],
        *,
        explain: bool | int = False,
        allow_private: bool = False,
    ) -> Any:
        """As `tellapart.Client.predict`: paths, bytes or arrays uint8 [H, W, 3], or texts, one or many, to the task's predictions.

        Raises: DataError, SettingsError for a model that is not there, ServerError.
        """
        model = choose(await self.models(), self._connection)
        groups = group(
            gather(pictures, allow_private=allow_private, texts=model.takes_texts), most=model.at_once(explain=explain)
        )
        answers: dict[int, list[RemoteAnswer]] = {}
        turn = asyncio.Lock()  # a generator serves one at a time

        async def work() -> None:
            while True:
                async with turn:  # files are read and pictures encoded beside the loop
                    number, items = len(answers), await asyncio.to_thread(_following, groups)
                    if items is None:
                        return
                    answers[number] = []
                answers[number] = await self._ask(items, model, explain)

        failed: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(1 if explain else CONCURRENCY):
                    tasks.create_task(work())
        except* TellapartError as several:
            failed = several.exceptions[0]  # raised here, Python 3.11.2 would wrap it in a group of its own
        if failed is not None:
            raise failed from None
        return build([one for number in sorted(answers) for one in answers[number]], model, explain=explain)

    async def models(self) -> list[dict[str, Any]]:
        """Every model that the server has: name, version, classes, scores with intervals, origin. Raises: ServerError."""
        return read_models(await self._send(method="GET", url="models"), self._connection)

    async def ready(self) -> bool:
        """Whether the server is there and takes requests. Asked once, without retries."""
        import httpx2

        try:
            return (await self._http.get("health/ready")).status_code == 200
        except httpx2.HTTPError:
            return False

    async def close(self) -> None:
        """Close the connections; the client is of no use afterwards."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _ask(self, items: list[Item], model: RemoteModel, explain: int) -> list[RemoteAnswer]:
        answers = iter(await self._classify([item for item in items if not item.error], model, explain))
        return [unsent(item, model) if item.error else next(answers) for item in items]

    async def _classify(self, items: list[Item], model: RemoteModel, explain: int) -> list[RemoteAnswer]:
        if not items:
            return []
        response = await self._send(
            **self._connection.request(model.name, items, explain=explain, texts=model.takes_texts)
        )
        if response.status_code != 413:
            return read_rows(response, items, model, self._connection)
        if len(items) == 1:
            return [too_large(response, items[0], model)]
        half = len(items) // 2
        first = await self._classify(items[:half], model, explain)
        return first + await self._classify(items[half:], model, explain)

    async def _send(self, **request: Any) -> httpx2.Response:
        """The last answer that came. Raises: ServerError where none did."""
        import httpx2
        import tenacity

        try:
            rules = policy(self._connection.retries, patience=self._connection.timeout, progress=self._progress)
            response: httpx2.Response = await tenacity.AsyncRetrying(**rules)(self._http.request, **request)
        except httpx2.HTTPError as error:
            raise ServerError(failure(error, self._connection)) from None
        self._progress.note(response.status_code)
        return response


def _following(groups: Iterator[list[Item]]) -> list[Item] | None:
    return next(groups, None)
