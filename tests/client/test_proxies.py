"""A proxy between client and server. In: what the environment names. Out: none for this machine; elsewhere its name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import tellapart
from tellapart.client.answers import ServerError
from tellapart.client.proxies import is_loopback, proxy_before
from tellapart.errors import SettingsError

from ..serving.conftest import Running  # noqa: TID252

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as environment:
        for name in NAMES:
            environment.delenv(name, raising=False)
            environment.delenv(name.upper(), raising=False)
        yield environment


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "strange://x"])
@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_this_machine_is_asked_straight(
    shared: Running, no_proxies: pytest.MonkeyPatch, proxy: str, variable: str
) -> None:
    no_proxies.setenv(variable, proxy)
    for host in ("127.0.0.1", "localhost"):
        with tellapart.Client(f"http://{host}:{shared.http_port}", retries=0) as client:
            assert client.ready()

    async def ask() -> bool:
        async with tellapart.AsyncClient(f"http://127.0.0.1:{shared.http_port}", retries=0) as client:
            return await client.ready()

    assert asyncio.run(ask())


@pytest.mark.parametrize("kind", [tellapart.Client, tellapart.AsyncClient])
@pytest.mark.parametrize(
    ("proxy", "reason"),
    [("socks5://me:secret@p.example:1080", "pip install socksio"), ("strange://p.example", "strange")],
)
def test_a_proxy_that_cannot_be_used_is_named(
    no_proxies: pytest.MonkeyPatch, kind: type, proxy: str, reason: str
) -> None:
    no_proxies.setenv("all_proxy", proxy)
    with pytest.raises(
        SettingsError, match=f"names the proxy .*p.example.*cannot be used .*{reason}.*no_proxy"
    ) as caught:
        kind("http://cats.example.com:8501")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("beside", [None, "http://good.example:3128"])
def test_a_proxy_for_other_servers_that_cannot_be_used_is_named_too(
    no_proxies: pytest.MonkeyPatch, beside: str | None
) -> None:
    no_proxies.setenv("https_proxy", "socks5://me:secret@p.example:1080")
    if beside is not None:
        no_proxies.setenv("http_proxy", beside)
    with pytest.raises(SettingsError, match=r"names the proxy socks5://p\.example:1080, which cannot be used"):
        tellapart.Client("http://cats.example.com:8501")


def test_a_proxy_that_does_not_answer_is_named(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    with (
        tellapart.Client("http://cats.example.com:8501", retries=0) as client,
        pytest.raises(
            ServerError, match=r"through the proxy http://127\.0\.0\.1:9, which the environment names .*no_proxy"
        ),
    ):
        client.models()


def test_which_servers_are_behind_one(no_proxies: pytest.MonkeyPatch) -> None:
    no_proxies.setenv("http_proxy", "http://p.example:3128")
    no_proxies.setenv("no_proxy", "dogs.example.com")
    assert proxy_before("http://cats.example.com") == "http://p.example:3128"
    assert proxy_before("https://cats.example.com") is None
    assert proxy_before("http://dogs.example.com:8501") is None
    loopback = (
        "http://127.0.0.1:1",
        "http://127.9.9.9",
        "http://[::1]:8501",
        "http://LOCALHOST",
        "http://a.localhost.",
    )
    assert all(map(is_loopback, loopback))
    assert not any(map(is_loopback, ("http://10.0.0.1", "http://localhost.evil.com", "http://cats.example.com")))
