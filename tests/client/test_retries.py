"""When a client asks again, and when not. In: a server that plays its part. Out: the tries, counted."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
import tenacity

import tellapart
from tellapart.client import retries
from tellapart.client.answers import ServerError
from tellapart.client.retries import LastAnswer, policy, retry_after, wait
from tellapart.errors import SettingsError

from ..serving.conftest import png  # noqa: TID252
from .conftest import Script

MODELS = {"models": [{"name": "one", "version": 1, "classes": ["a", "b"], "abstention": None}]}
ROW = {
    "label": "b",
    "probability": 0.75,
    "set": None,
    "unknown": None,
    "novelty": None,
    "classes": [{"label": "b", "probability": 0.75}, {"label": "a", "probability": 0.25}],
}
Answer = tuple[int, dict[str, str], bytes]


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode()


GOOD = (answer(MODELS), answer({"model": "one", "version": 1, "predictions": [ROW]}))
BUSY = answer({"error": "128 pictures are waiting"}, 429, Retry_After="0")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "_FIRST", 0.01)


def predict(url: str, **options: Any) -> list[float]:
    with tellapart.Client(url, **options) as client:
        found = client.predict(png((1, 2, 3)))
    row: list[float] = found.probabilities[0].tolist()
    return row


def predict_later(url: str, **options: Any) -> list[float]:
    async def ask() -> list[float]:
        async with tellapart.AsyncClient(url, **options) as client:
            row: list[float] = (await client.predict(png((1, 2, 3)))).probabilities[0].tolist()
            return row

    return asyncio.run(ask())


both = pytest.mark.parametrize("ask", [predict, predict_later], ids=["sync", "async"])
Ask = Callable[..., list[float]]


@both
@pytest.mark.parametrize("status", [429, 502, 503])
def test_what_is_busy_is_asked_again(script: Script, ask: Ask, status: int) -> None:
    server = script(GOOD[0], answer({}, status), answer({}, status), GOOD[1])
    assert ask(server.url) == [0.25, 0.75]
    assert server.asked == ["/models", *["/predict?model=one&top=999999"] * 3]
    assert len({body.partition(b"\r\n\r\n")[2] for body in server.bodies[1:]}) >= 1
    assert all(png((1, 2, 3)) in body for body in server.bodies[1:])


@both
def test_the_servers_time_is_kept(script: Script, ask: Ask) -> None:
    server = script(GOOD[0], answer({}, 429, Retry_After="1"), GOOD[1])
    assert ask(server.url) == [0.25, 0.75]
    first, again = server.times[1:]
    assert again - first >= 1.0  # never sooner; later on a busy machine


@both
def test_what_wants_a_minute_and_more_is_not_waited_for(script: Script, ask: Ask) -> None:
    server = script(answer({"error": "come tomorrow"}, 503, Retry_After="86400"))
    with pytest.raises(ServerError, match=r"is busy or stopping, and still was .*: come tomorrow\.") as refused:
        ask(server.url)
    assert refused.value.status == 503
    assert len(server.asked) == 1


@both
@pytest.mark.parametrize("status", [400, 404, 408, 409, 500, 504])
def test_other_refusals_come_at_once_in_the_servers_words(script: Script, ask: Ask, status: int) -> None:
    server = script(GOOD[0], answer({"error": "these are my words."}, status))
    with pytest.raises(ServerError, match=f"with status {status}: these are my words.") as refused:
        ask(server.url)
    assert refused.value.status == status
    assert len(server.asked) == 2


@both
def test_what_is_busy_is_asked_more_often_than_what_is_gone(script: Script, ask: Ask) -> None:
    server = script(*[BUSY] * 5, *GOOD)
    assert ask(server.url, retries=2) == [0.25, 0.75]
    assert len(server.asked) == 7


def test_tries_end() -> None:
    busy, tries = SimpleNamespace(status_code=429, headers={"Retry-After": "0"}), list[int]()

    def later() -> float:
        return time.monotonic() + 1000 * len(tries)  # each try takes long

    def ask() -> SimpleNamespace:
        tries.append(len(tries))
        return busy

    assert tenacity.Retrying(**policy(2, patience=3500.0, progress=LastAnswer(now=later)))(ask) is busy
    assert len(tries) == 4


@both
def test_tries_of_what_is_gone_are_counted(script: Script, ask: Ask) -> None:
    server = script(answer({"error": "it starts"}, 503, Retry_After="0"))
    with pytest.raises(ServerError, match="still was at the last try: it starts"):
        ask(server.url, retries=2)
    assert len(server.asked) == 3


@both
def test_without_retries_a_busy_server_is_asked_once(script: Script, ask: Ask) -> None:
    server = script(BUSY)
    with pytest.raises(ServerError, match="128 pictures are waiting"):
        ask(server.url, retries=0)
    assert len(server.asked) == 1


def test_an_answer_to_one_request_gives_the_others_time() -> None:
    progress = LastAnswer(now=lambda: 100.0)
    rules = policy(1, patience=0.5, progress=progress)
    busy = SimpleNamespace(status_code=429, headers={})
    state = SimpleNamespace(
        attempt_number=9, start_time=90.0, outcome=SimpleNamespace(failed=False, result=lambda: busy)
    )
    assert rules["stop"](state)
    progress.note(429)
    assert rules["stop"](state)
    progress.note(200)
    assert not rules["stop"](state)


@both
def test_a_server_that_comes_up_is_waited_for(script: Script, ask: Ask) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    up = threading.Timer(0.3, script, GOOD, {"port": port})
    up.start()
    assert ask(f"http://127.0.0.1:{port}", retries=1000) == [0.25, 0.75]
    up.join()


@both
def test_a_server_that_is_not_there_is_told(ask: Ask) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ServerError, match="no server answers at .* start one with: tellapart serve MODEL") as refused:
        ask(f"http://127.0.0.1:{port}", retries=1)
    assert refused.value.status is None


@both
def test_a_server_that_says_nothing_is_asked_once(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerError, match=r"did not answer within 1 s. Allow it more time"):
            ask(url, timeout=1.0)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):  # nobody else came
            silent.accept()


def test_a_connection_that_breaks_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:

        def hang_up() -> None:
            for _ in range(2):
                rude.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(
            ServerError, match=r"the connection to .* broke \(\w+\). Look whether the server still runs"
        ):
            predict(f"http://127.0.0.1:{rude.getsockname()[1]}", retries=1)
        thread.join()


@pytest.mark.parametrize(
    "answers",
    [
        [(200, {}, b"<html>welcome</html>")],
        [answer({"models": [{"name": "one"}]})],
        [answer([])],
        [GOOD[0], (200, {}, b"<html>welcome</html>")],
        [GOOD[0], answer({"predictions": []})],
        [GOOD[0], answer({"predictions": [{"label": "a"}]})],
        [GOOD[0], answer({"predictions": [{**ROW, "set": ["c"]}]})],
        [GOOD[0], answer({"predictions": [{**ROW, "heatmap": "data:image/png;base64,%%%"}]})],
    ],
)
def test_what_is_not_our_server_is_named(script: Script, answers: list[Answer]) -> None:
    server = script(*answers)
    with pytest.raises(ServerError, match="is not `tellapart serve`, or another version of it. Check the address"):
        predict(server.url)


def test_a_model_exchanged_in_the_midst_is_noticed(script: Script) -> None:
    other = {**ROW, "classes": [*ROW["classes"], {"label": "c", "probability": 0.0}]}
    server = script(GOOD[0], answer({"predictions": [other]}))
    with pytest.raises(ServerError, match="the model 'one' at .* was exchanged for one with other classes. Ask again"):
        predict(server.url)


def test_a_server_without_models(script: Script) -> None:
    with pytest.raises(ServerError, match="serves no model now. Look at its log"):
        predict(script(answer({"models": []})).url)


def test_the_key_goes_nowhere_else(script: Script) -> None:
    other = script(GOOD[0])
    server = script((302, {"Location": f"{other.url}/models"}, b""))
    with pytest.raises(ServerError, match=f"sends its visitors to {other.url}/models. Give that address"):
        predict(server.url, api_key="secret")
    assert server.headers[0]["authorization"] == "Bearer secret"
    assert other.asked == []


def test_a_prefix_of_the_address_is_kept(script: Script) -> None:
    server = script(*GOOD)
    assert predict(server.url + "/cats/", model="one") == [0.25, 0.75]
    assert server.asked == ["/cats/models", "/cats/predict?model=one&top=999999"]


def test_names_of_files_stay_here(script: Script, tmp_path: Any) -> None:
    path = tmp_path / "my diagnosis.png"
    path.write_bytes(png((1, 2, 3)))
    server = script(*GOOD)
    with tellapart.Client(server.url) as client:
        client.predict(path)
    assert b"diagnosis" not in server.bodies[1]
    assert b'filename="picture"' in server.bodies[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"url": "localhost:8501"},
            "'localhost:8501' is not the address of a server. Write it like http://localhost:8501",
        ),
        ({"url": "ftp://a"}, "'ftp://a' is not the address of a server. Write it like http://127.0.0.1:8501"),
        ({"url": ""}, "'' is not the address"),
        ({"url": "http://"}, "'http:' is not the address"),
        ({"url": "http://a:99999999"}, "is not the address"),
        ({"url": "http://me:secret@a"}, "the address of a holds more than a host, a port and a path"),
        ({"url": "http://a?b=c"}, "the address of a holds more than a host, a port and a path"),
        ({"api_key": "a\r\nb"}, "the API key is empty, or has blanks, line ends"),
        ({"api_key": ""}, "the API key is empty"),
        ({"timeout": 0}, "the timeout is 0; it must be a positive number"),
        ({"timeout": float("nan")}, "the timeout is nan"),
        ({"timeout": "5"}, "the timeout is '5'; it must be a positive number"),
        ({"retries": -1}, "retries is -1; it must be 0 or more"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, Any], message: str) -> None:
    for kind in (tellapart.Client, tellapart.AsyncClient):
        with pytest.raises(SettingsError, match=message) as refused:
            kind(**{"url": "http://127.0.0.1:9", **options})
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), (" 3 ", 3), ("0", 0), ("", 0), ("soon", 0), ("-3", 0), ("1.5", 0), ("9" * 400, 999_999_999)],
)
def test_retry_after_in_seconds(text: str, seconds: float) -> None:
    assert retry_after(text) == seconds


def test_retry_after_as_a_date() -> None:
    assert retry_after(formatdate(1_000_010, usegmt=True), now=lambda: 1_000_000.0) == 10
    assert retry_after(formatdate(1_000_000, usegmt=True), now=lambda: 1_000_010.0) == 0
    in_an_hour = formatdate(time.time() + 3600, usegmt=True)
    assert retry_after(in_an_hour) > 0


def test_waits_grow_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def state(attempt: int, after: str = "") -> Any:
        response = SimpleNamespace(headers={"Retry-After": after})
        return SimpleNamespace(attempt_number=attempt, outcome=SimpleNamespace(failed=False, result=lambda: response))

    for attempt, low, high in ((1, 0.125, 0.25), (2, 0.25, 0.5), (3, 0.5, 1), (20, 4, 8)):
        waits = [wait(state(attempt)) for _ in range(50)]
        assert all(low <= seconds <= high for seconds in waits)
        assert len(set(waits)) > 1
    asked = [wait(state(1, "4")) for _ in range(50)]
    assert all(4 <= seconds <= 5 for seconds in asked)
    assert len(set(asked)) > 1
