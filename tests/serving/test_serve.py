"""The whole server in a process of its own. In: a command. Out: ports, answers, an orderly end."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tellapart import load
from tellapart.errors import ModelFileError, SettingsError
from tellapart.serving.keys import read_keys
from tellapart.workflows.serve import serve
from tellapart.workflows.serving.options import ServeOptions

from .conftest import PATIENCE, png
from .launched import Launch, launching
from .test_plain import form
from .test_texts import TEXTS, write_texts_model

Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    with launching(tmp_path) as found:
        yield found


@pytest.mark.slow
def test_versions_switch_under_load_without_one_failure(
    launch: Launch, until: Until, models: Path, tiny_bytes: bytes, pictures: list[bytes]
) -> None:
    server = launch(models, keep=1)
    stop, statuses, versions = threading.Event(), list[int](), set[int]()

    def ask() -> None:
        while not stop.is_set():
            status, body = server.ask("POST", "/predict?model=colours", pictures[0])
            statuses.append(status)
            versions.add(body.get("version"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(3, 8):
        # As an operator would: write beside, then rename. The broken one is written in place.
        folder = models / "colours" / str(number)
        if number == 5:
            folder.mkdir()
            (folder / "model.onnx").write_bytes(tiny_bytes[:-30])
            server.wait_for(f"version {number} is refused")
        else:
            shutil.copytree(models / "colours" / "1", models / f".{number}")
            (models / f".{number}").rename(folder)
            server.wait_for(f"version {number} serves")
            until(lambda number=number: number in versions)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert versions >= {3, 4, 6, 7}
    assert 5 not in versions
    assert server.end() == 0


@pytest.mark.slow
def test_sigterm_finishes_what_was_taken(launch: Launch, until: Until, models: Path) -> None:
    server = launch(models / "single", threads=1)
    body, kind = form([("a.png", png((1, 2, 3), (1000, 1000)))] * 60)  # each takes some 5 ms to decode
    answers: list[tuple[int, int]] = []

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        connection.request("POST", "/predict", body, {"Content-Type": kind})
        answer = connection.getresponse()
        answers.append((answer.status, len(json.loads(answer.read())["predictions"])))
        connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: "tellapart_requests_under_way 2.0" in server.ask("GET", "/metrics")[1] or answers)
    assert server.end() == 0
    thread.join()
    assert answers == [(200, 60)]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes share a port on POSIX systems")
def test_several_processes_serve_and_are_replaced(
    launch: Launch, until: Until, models: Path, pictures: list[bytes]
) -> None:
    server = launch(models, workers=2, grpc_port=None)
    for _ in range(20):
        assert server.ask("POST", "/predict?model=single", pictures[0])[0] == 200
    counted = 'tellapart_requests_total{operation="predict",protocol="plain",status="200"} 20.0'
    until(lambda: counted in server.ask("GET", "/metrics")[1])  # the process that answered counts a moment later
    for _ in range(4):  # wherever it is asked, the sum over both processes comes back
        assert counted in server.ask("GET", "/metrics")[1]
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    serving = [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
    os.kill(serving[0], signal.SIGKILL)
    server.wait_for(rf"process {serving[0]} ended with -9; another takes its place")
    assert server.ask("POST", "/predict?model=single", pictures[0])[0] == 200
    assert server.end() == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="processes share a port on POSIX systems")
def test_several_processes_answer_texts_alike(launch: Launch, tmp_path: Path) -> None:
    model = write_texts_model(tmp_path / "mood.onnx")
    server = launch(model, workers=2, grpc_port=None)
    wanted = load(model).predict(TEXTS).probabilities
    for _ in range(8):  # each a connection of its own, which either process may take
        status, body = server.ask("POST", "/v1/models/mood:predict", json.dumps({"instances": TEXTS}).encode())
        assert status == 200
        np.testing.assert_allclose(body["predictions"], wanted, atol=1e-5)
    assert server.end() == 0


@pytest.mark.slow
def test_several_processes_end_with_the_one_that_started_them(launch: Launch, until: Until, models: Path) -> None:
    server = launch(models, workers=2, grpc_port=None)
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    server.process.kill()
    server.process.wait()
    until(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="one core, or none of a thread's own"
)
def test_as_many_threads_as_cores_keep_to_one_each(launch: Launch, until: Until, models: Path) -> None:
    count = len(os.sched_getaffinity(0))
    for threads, wanted in ((count, count), (count + 1, 0)):
        tasks = Path(f"/proc/{launch(models / 'single', threads=threads).process.pid}/task")

        def kept(tasks: Path = tasks) -> list[str]:
            may = [re.search(r"Cpus_allowed_list:\s*(\S+)", (task / "status").read_text()) for task in tasks.iterdir()]
            return [one[1] for one in may if one is not None and one[1].isdigit()]

        until(lambda kept=kept, wanted=wanted: len(kept()) == wanted)  # each takes its core when it first runs
        assert len(set(kept())) == wanted


def test_several_processes_take_no_port_that_another_server_has(models: Path) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(
            SettingsError, match=rf"cannot listen on 127\.0\.0\.1:{port} for gRPC\. Choose another --grpc-port"
        ):
            start(models, workers=2, grpc_port=port)


@pytest.mark.slow
def test_every_request_is_logged_and_ctrl_c_is_an_end(launch: Launch, models: Path, pictures: list[bytes]) -> None:
    server = launch(models / "single")
    server.ask("POST", "/predict", pictures[0])
    line = json.loads(server.wait_for(r"^\{.*\}$")[0])
    assert (line["method"], line["path"], line["status"]) == ("POST", "/predict", 200)
    assert server.end(signal.SIGINT) == 0


@pytest.mark.slow
def test_ctrl_c_twice_does_not_linger(launch: Launch, until: Until, models: Path) -> None:
    server = launch(models / "single", linger=3600.0)
    server.process.send_signal(signal.SIGINT)
    until(lambda: server.ask("GET", "/health/ready")[0] == 503)
    assert server.process.poll() is None
    server.end(signal.SIGINT)


def start(*models: object, **options: Any) -> None:
    chosen = ServeOptions(models=tuple(map(str, models)), **{"port": 0, "grpc_port": 0, **options})
    serve(chosen, say=lambda text: None, ready=lambda ports: None)


def test_what_cannot_be_served_is_said_before_anything_listens(models: Path, tmp_path: Path, tiny_bytes: bytes) -> None:
    with pytest.raises(ModelFileError, match="there is no model at"):
        start(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"--control and --workers 2 do not go together: .* Use one process"):
        start(models, control=True, workers=2)
    with pytest.raises(SettingsError, match=r"--grpc-port 0 with several --workers .* Name the port"):
        start(models, workers=2)
    with pytest.raises(SettingsError, match=r"--max-delay-ms 1000 is not below --timeout 1 s; .* Lower the delay"):
        start(models, max_delay_ms=1000.0, timeout=1.0)
    with pytest.raises(SettingsError, match=r"--queue 4 is below --max-batch 8; .* Raise --queue"):
        start(models, queue=4)
    (models / "single" / "model.onnx").write_bytes(tiny_bytes[:-20])
    with pytest.raises(ModelFileError, match="model 'single' cannot be served: .*cut short"):
        start(models / "single")


def test_keys_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.write_text("# ours\n\n" + "k" * 16 + "\n")
    read_keys(file).check({"x-api-key": "k" * 16})
    file.write_text("# none\n")
    with pytest.raises(SettingsError, match=r"keys\.txt holds no key, so nobody could ask\. Write one key a line"):
        read_keys(file)
    for wrong in ("k" * 16 + " # alice", "schlüssel-der-passt", "k" * 16 + "\u200b"):
        file.write_text(wrong + "\n", encoding="utf-8")
        with pytest.raises(
            SettingsError, match=r"a key with blanks or signs outside ASCII, of \d+ characters\. Write the"
        ):
            read_keys(file)
    file.write_bytes(b"\xef\xbb\xbf" + b"k" * 16)  # as Windows' editor writes it
    read_keys(file).check({"x-api-key": "k" * 16})
    file.write_text("secret\n")
    with pytest.raises(SettingsError, match=r"a key of fewer than 16 characters, which can be guessed\. Make one with"):
        read_keys(file)


@pytest.mark.parametrize("option", ["--timeout", "--max-delay-ms", "--max-wait-ms", "--poll", "--linger"])
def test_what_is_no_number_is_refused(option: str) -> None:
    from tellapart.cli.serve import command

    answer = CliRunner().invoke(command, ["nowhere", option, "nan"])
    assert answer.exit_code == 2
    assert re.search(rf"Invalid value for '{option}': 'nan' is not a number of ", answer.output)
