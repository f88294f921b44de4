"""Pictures on the web. In: a server of our own that misbehaves. Out: bytes, or why not; never a machine that is not public."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tellapart.answers.addresses import Address, any_address, fetch, is_public
from tellapart.errors import PictureError

BODY = b"x" * 1000
PRIVATE = """127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255
    ::1 :: fe80::1 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 2002:7f00:1::
    ::127.0.0.1 ::93.184.216.34 fec0::1 64:ff9b:1::7f00:1 4000::1 2001::1 2001:db8::1"""


class Handler(BaseHTTPRequestHandler):
    asked: list[str]
    stop: threading.Event

    def do_GET(self) -> None:
        self.asked.append(f"{self.headers['Host']} {self.path}")
        kind, _, rest = self.path.removeprefix("/").partition("/")
        if kind == "to":
            self.send_response(302)
            self.send_header("Location", rest if "://" in rest else f"/{rest}")
            self.end_headers()
        elif kind == "gone":
            self.send_error(404)
        elif kind == "none":
            self.send_response(500, "Never mind")
            self.end_headers()
        elif kind.partition("?")[0] == "headers":
            said = f"{self.headers['User-Agent']} {self.headers['Accept']}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)
        elif kind == "trickle":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.stop.wait(0.01):
                self.wfile.write(b"X: y\r\n"[:1])
        elif kind == "endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(1000):
                self.wfile.write(BODY)
        else:
            self.send_response(200)
            self.send_header("Content-Length", rest if kind == "says" else str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY)

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # who asked has gone
            super().handle()


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    stop = threading.Event()
    handler = type("Own", (Handler,), {"asked": asked, "stop": stop})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as one:
        thread = threading.Thread(target=one.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{one.server_port}", asked
        stop.set()
        one.shutdown()
        thread.join()


def only_first(address: Address) -> bool:
    return str(address) == "127.0.0.1"


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("64:ff9b::5db8:d822", True),  # 93.184.216.34
        *((text, False) for text in PRIVATE.split()),
    ],
)
def test_which_addresses_are_public(text: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(text)) == public


def test_a_picture_is_fetched(server: tuple[str, list[str]]) -> None:
    url, asked = server
    assert fetch(f"{url}/猫 one.png?a=1&b=ä#part", allowed=any_address) == BODY
    assert asked == [f"{url.removeprefix('http://')} /%E7%8C%AB%20one.png?a=1&b=%C3%A4"]
    assert fetch(f"{url}/to/to/file", allowed=any_address) == BODY


def test_private_addresses_are_not_even_asked(server: tuple[str, list[str]]) -> None:
    url, asked = server
    for text in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::ffff:127.0.0.1]")):
        with pytest.raises(PictureError, match="no public address, and such are not asked.*--allow-private"):
            fetch(f"{text}/file")
    assert asked == []


def test_a_redirect_to_a_private_address_is_not_followed(server: tuple[str, list[str]]) -> None:
    url, asked = server
    with pytest.raises(PictureError, match=r"127\.0\.0\.2 leads to 127\.0\.0\.2, no public address"):
        fetch(f"{url}/to/{url.replace('127.0.0.1', '127.0.0.2')}/file", allowed=only_first)
    assert len(asked) == 1
    with pytest.raises(PictureError, match="no address of a picture"):
        fetch(f"{url}/to/file:///etc/passwd", allowed=any_address)


def test_what_a_name_was_found_to_be_is_what_is_asked(server: tuple[str, list[str]]) -> None:
    url, asked = server
    port = int(url.rpartition(":")[2])
    found = [("127.0.0.2", port), ("127.0.0.1", port)]
    looked: list[str] = []

    def resolve(host: str, number: int, **_: Any) -> list[Any]:
        looked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", one) for one in found]

    assert fetch(f"http://cats.example:{port}/file", allowed=only_first, resolve=resolve) == BODY
    assert looked == ["cats.example"], "a second look might find another address"
    assert asked == [f"cats.example:{port} /file"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("gone", r"status 404 \(Not Found\)"),
        ("endless", "file of more than 50,000 bytes"),
        ("says/60000", "file of 60,000 bytes; the limit is 50,000"),
        ("to/to/to/to/to/to/file", "more than 5 redirects"),
    ],
)
def test_limits(server: tuple[str, list[str]], path: str, words: str) -> None:
    with pytest.raises(PictureError, match=words):
        fetch(f"{server[0]}/{path}", allowed=any_address, most_bytes=50_000)


def test_a_server_that_sends_a_byte_now_and_then_is_left(server: tuple[str, list[str]]) -> None:
    with pytest.raises(PictureError, match=r"it did not arrive within 0\.3 s"):
        fetch(f"{server[0]}/trickle", allowed=any_address, seconds=0.3)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://me:secret@example.com/a.png", "the address holds a name or password"),
        ("http:///a.png", "is no address of a picture"),
        ("http://127.0.0.1:99999/a.png", "cannot be fetched: "),
        ("http://[::1/a.png", "cannot be fetched: "),
        ("http://127.0.0.1:9/\r\nHost: x", "cannot be fetched: "),
    ],
)
def test_addresses_that_cannot_be(url: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PictureError, match=words):
        fetch(url, allowed=any_address)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError("  two \n lines\there "), "two lines here"),
        (OSError(), "OSError"),
        (ValueError("x" * 200), "x" * 200),
        (ValueError("x" * 201), "x" * 199 + "…"),
    ],
    ids=["by the system", "spaces", "no words", "200 signs", "201 signs"],
)
def test_why_an_address_cannot_be_fetched_is_one_short_line(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, reason: str
) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        raise fault

    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PictureError) as found:
        fetch("http://cats.example/a.png", resolve=resolve)
    assert str(found.value) == f"cannot be fetched: {reason}"


def test_a_proxy_is_named_since_it_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    with pytest.raises(PictureError, match=r"the proxy http://proxy\.example:3128 is not used"):
        fetch("http://127.0.0.1:9/a.png", allowed=any_address)
    monkeypatch.setenv("http_proxy", "http://" + "p" * 53 + "cut")
    with pytest.raises(PictureError) as fault:
        fetch("HTTP://127.0.0.1:9/a.png", allowed=any_address)
    assert str(fault.value) == (
        f"cannot be fetched: Connection refused (the proxy http://{'p' * 53} is not used for pictures; fetch them yourself)"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("http://{host}/none", "the server answers with status 500 (Never mind)"),
        ("http://{host}/says/50001", "file of 50,001 bytes; the limit is 50,000. Store it smaller"),
        ("http://{host}/endless", "file of more than 50,000 bytes, which is the limit. Store it smaller"),
        ("http://{host}/to/to/to/to/to/to/file", "more than 5 redirects. Name the picture's own address"),
        (
            "http://me@{host}/a.png",
            "the address holds a name or password. Fetch the picture yourself, and give the file",
        ),
        (
            "http:///" + "a" * 100,
            f"'http:///{'a' * 92}' is no address of a picture. Write it like https://example.com/cat.jpg",
        ),
    ],
    ids=["status", "said", "sent", "redirects", "name", "address"],
)
def test_a_refusal_says_what_was_found_and_what_to_do(server: tuple[str, list[str]], text: str, message: str) -> None:
    with pytest.raises(PictureError) as fault:
        fetch(text.format(host=server[0].removeprefix("http://")), allowed=any_address, most_bytes=50_000)
    assert str(fault.value) == message


def test_a_private_address_says_what_may_be_given(server: tuple[str, list[str]]) -> None:
    with pytest.raises(PictureError) as fault:
        fetch(f"{server[0]}/file")
    assert str(fault.value) == (
        "127.0.0.1 leads to 127.0.0.1, no public address, and such are not asked. If it is yours, give --allow-private (in Python "
        "allow_private=True)"
    )
    with pytest.raises(PictureError, match="^cats.example leads to nowhere, no public address"):
        fetch("http://cats.example/a.png", resolve=lambda *_, **__: [])


def test_the_limit_itself_and_five_redirects_are_allowed(server: tuple[str, list[str]]) -> None:
    url, asked = server
    assert fetch(f"{url}/file", allowed=any_address, most_bytes=len(BODY)) == BODY
    with pytest.raises(PictureError, match="file of 1,000 bytes; the limit is 999"):
        fetch(f"{url}/file", allowed=any_address, most_bytes=len(BODY) - 1)
    asked.clear()
    assert fetch(f"{url}/to/to/to/to/to/file", allowed=any_address) == BODY
    assert len(asked) == 6


def test_an_address_that_does_not_answer_is_followed_by_the_next(server: tuple[str, list[str]]) -> None:
    url, asked = server
    port = int(url.rpartition(":")[2])
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", one) for one in (("127.0.0.1", 9), ("127.0.0.1", port))]
    assert fetch("http://cats.example/file", allowed=any_address, resolve=lambda *_, **__: found) == BODY
    assert len(asked) == 1


@pytest.mark.parametrize(("url", "port"), [("http://a/", 80), ("https://a/", 443), ("https://a:8443/", 8443)])
def test_which_port_is_looked_up(url: str, port: int) -> None:
    looked: list[tuple[Any, ...]] = []

    def resolve(*given: Any, **named: Any) -> list[Any]:
        looked.append((*given, named))
        return []

    with pytest.raises(PictureError, match="nowhere"):
        fetch(url, resolve=resolve)
    assert looked == [("a", port, {"type": socket.SOCK_STREAM})]


def test_what_is_asked_for_names_the_program_and_what_it_takes(server: tuple[str, list[str]]) -> None:
    url, asked = server
    assert fetch(f"{url}/headers?x", allowed=any_address) == b"tellapart image/*,*/*;q=0.5"
    asked.clear()
    assert fetch(url, allowed=any_address) == BODY
    assert asked == [f"{url.removeprefix('http://')} /"], "no path is the first one"
