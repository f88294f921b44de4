"""Who may ask under which name, and which page may send. In: headers. Out: an answer, or 403 with the remedy."""

from __future__ import annotations

import pytest

from tellapart.errors import SettingsError
from tellapart.serving.hosts import Hosts, hosts_for
from tellapart.serving.refusals import Forbidden

from .conftest import Start


def allowed(hosts: Hosts, host: str) -> bool:
    try:
        hosts.check({"host": host}, "GET")
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("bound", "named", "host", "answered"),
    [
        ("127.0.0.1", (), "127.0.0.1:8501", True),
        ("127.0.0.1", (), "localhost", True),
        ("127.0.0.1", (), "LOCALHOST.:1", True),
        ("127.0.0.1", (), "[::1]:8501", True),
        ("::1", (), "127.0.0.2", True),
        ("127.0.0.1", (), "page.localhost:1", True),
        ("127.0.0.1", (), "evil.com", False),
        ("127.0.0.1", (), "evil.com:8501", False),
        ("127.0.0.1", (), "127.0.0.1.evil.com", False),
        ("localhost", (), "10.0.0.7", False),
        ("127.0.0.1", (), "localhost.evil.com", False),
        ("127.0.0.1", ("Cats.example.com",), "cats.example.com:443", True),
        ("127.0.0.1", ("cats.example.com:443",), "cats.example.com", True),
        ("127.0.0.1", ("cats.example.com",), "dogs.example.com", False),
        ("127.0.0.1", ("cats.example.com",), "localhost", True),
        ("0.0.0.0", (), "whatever.example", True),
        ("::", (), "whatever.example", True),
        ("10.0.0.7", (), "cells.local", True),
        ("0.0.0.0", ("cats.example.com",), "cats.example.com", True),
        ("0.0.0.0", ("cats.example.com",), "evil.com", False),
        ("10.0.0.7", ("cats.example.com",), "10.0.0.7:8501", True),
        ("0.0.0.0", ("::ffff",), "[::ffff]:1", True),
        ("127.0.0.1", (), "", True),  # HTTP/1.0 needs no Host, and no browser speaks that
    ],
)
def test_names(bound: str, named: tuple[str, ...], host: str, answered: bool) -> None:
    assert allowed(hosts_for(bound, named), host) is answered


def test_the_refusal_says_what_to_do() -> None:
    with pytest.raises(Forbidden) as caught:
        hosts_for("127.0.0.1", ("cats.example.com",)).check({"host": "Evil.com:80"}, "GET")
    assert str(caught.value) == (
        "this server is not 'evil.com': it answers to localhost, cats.example.com. If it shall answer to that name too, start "
        "it with --allow-host evil.com."
    )


@pytest.mark.parametrize("name", ["http://cats.example.com", "cats.example.com/page", "*", "", "a b"])
def test_what_cannot_be_a_name(name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        hosts_for("0.0.0.0", [name])
    assert f"--allow-host {name!r} is no host name" in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "taken"),
    [
        ({}, True),  # curl
        ({"sec-fetch-site": "same-origin", "origin": "http://proxy.example"}, True),  # a proxy may have changed Host
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost:8501"}, False),
        ({"origin": "http://localhost:8501"}, True),
        ({"origin": "http://localhost:3000"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://evil.com"}, False),
        ({"origin": "https://cats.example.com"}, True),
        ({"origin": ""}, False),
    ],
)
def test_senders(headers: dict[str, str], taken: bool) -> None:
    hosts = Hosts(["cats.example.com"])
    given = {"host": "localhost:8501", **headers}
    hosts.check(given, "GET")  # a link from elsewhere may lead here
    if taken:
        hosts.check(given, "POST")
        return
    with pytest.raises(Forbidden) as caught:
        hosts.check(given, "POST")
    assert "a page of another site sent this" in str(caught.value)


@pytest.mark.parametrize(
    "site",
    [
        "*",
        "cats.example.com",
        "https://cats.example.com/page",
        "ftp://x",
        "https://a b",
        "null",
        "http://[",
        "https://x:y",
    ],
)
def test_what_cannot_be_a_site(site: str) -> None:
    with pytest.raises(SettingsError) as caught:
        hosts_for("0.0.0.0", [], [site])
    assert f"--allow-origin {site!r} is no site" in str(caught.value)


def test_pages_of_an_allowed_site_may_ask_and_no_others(start: Start, pictures: list[bytes]) -> None:
    server = start(hosts=hosts_for("127.0.0.1", (), ["https://Cats.example.com:443/", "http://localhost:3000"]))
    path, site = "/predict?model=single", "https://cats.example.com"
    asked = {"Access_Control_Request_Method": "POST", "Access_Control_Request_Headers": "content-type, authorization"}
    reply = server.ask("OPTIONS", path, Origin=site, **asked)
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, site)
    assert "authorization" in reply.headers["access-control-allow-headers"].lower()
    for name in (site, "http://localhost:3000"):
        reply = server.post(path, pictures[0], Origin=name, Sec_Fetch_Site="cross-site")
        assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, name)
        assert "x-request-id" in reply.headers["access-control-expose-headers"].lower()
    for name in ("https://evil.com", "http://cats.example.com", "https://cats.example.com.evil.com"):
        assert server.ask("OPTIONS", path, Origin=name, **asked).status == 400
        reply = server.post(path, pictures[0], Origin=name, Sec_Fetch_Site="cross-site")
        assert (reply.status, reply.headers.get("access-control-allow-origin")) == (403, None)
        assert "start it with --allow-origin" in reply.json["error"]


def test_without_allowed_sites_no_page_is_told_anything(start: Start, pictures: list[bytes]) -> None:
    reply = start().get("/models", Origin="https://cats.example.com")
    assert "access-control-allow-origin" not in reply.headers


def test_every_path_but_health_is_closed_to_other_names(start: Start) -> None:
    server = start(hosts=hosts_for("127.0.0.1", ()))
    for path in ("/", "/models", "/metrics", "/v1/models", "/v2", "/page/page.js"):
        assert server.get(path, Host="evil.com").status == 403
        assert server.get(path).status in (200, 404)
    assert server.get("/health/ready", Host="10.1.2.3:8501").status == 200  # a probe asks by the pod's address
    assert "--allow-host evil.com" in server.get("/models", Host="evil.com").json["error"]
    assert server.post("/predict", b"x", Origin="http://evil.com").status == 403
    assert server.post("/v2/repository/models/single/unload", Sec_Fetch_Site="cross-site").status == 403
