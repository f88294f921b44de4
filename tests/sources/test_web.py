"""What a web server's answers mean."""

from __future__ import annotations

import email.utils
import socket
import ssl
import time

import pytest

from tellapart.sources.remote.stores import MayPass
from tellapart.sources.remote.web import WebStore, _found, _unreached, _wait


class Answer:
    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def test_how_long_a_server_asks_to_wait() -> None:
    assert _wait("7") == 7.0
    assert _wait(None) is None
    assert _wait("later") is None
    until = _wait(email.utils.formatdate(time.time() + 3600, usegmt=True))
    assert until is not None
    assert 3000 < until < 3700


def test_a_server_that_does_not_say_how_large_a_file_is() -> None:
    assert _found(Answer(Content_Range="bytes 0-4/10")) == (0, 4, 10)
    for headers in ({}, {"Content_Range": "bytes 0-4/*"}):
        with pytest.raises(OSError, match="the server does not say how large the file is. Download it"):
            _found(Answer(**headers))


def test_what_will_not_pass_and_what_may() -> None:
    wrong = ssl.SSLCertVerificationError(1, "certificate verify failed")
    wrong.verify_message = "self-signed certificate"
    assert "the server's certificate does not do: self-signed certificate" in str(_unreached(wrong))
    assert "there is no such host, or no network" in str(_unreached(socket.gaierror(-2, "unknown")))
    assert isinstance(_unreached(ConnectionResetError(104, "reset")), MayPass)


def test_a_server_that_is_not_there_may_come_back() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/a.tar"
        with pytest.raises(MayPass, match="Connection refused"):
            WebStore().look(address)
