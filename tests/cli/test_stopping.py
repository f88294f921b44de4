"""SIGTERM unwinds a block. In: signals to this process. Out: what was begun is gone, exit codes."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from tellapart.cli.stopping import ended_as_by_ctrl_c
from tellapart.export.begun import begun_folder


def wait_for_it() -> None:
    for _ in range(1000):
        time.sleep(0.01)
    raise AssertionError("the signal did not come")


def test_what_was_begun_goes_away_and_the_code_is_the_signals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    usual = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended, ended_as_by_ctrl_c(), begun_folder(tmp_path / "exports" / "work") as begun:
        (begun / "half.bin").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGTERM)
        wait_for_it()
    assert ended.value.code == 143
    assert not (tmp_path / "exports").exists()
    assert capsys.readouterr().err == "\nStopped.\n"
    assert signal.getsignal(signal.SIGTERM) is usual


def test_ctrl_c_stays_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), ended_as_by_ctrl_c():
        raise KeyboardInterrupt


def test_who_has_another_wish_keeps_it_and_other_threads_ask_for_nothing() -> None:
    came = list[int]()
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        with ended_as_by_ctrl_c():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == [signal.SIGTERM]
    done = list[bool]()

    def other() -> None:
        with ended_as_by_ctrl_c():
            done.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert done == [True]
