"""Does every picture come once out of a store that misbehaves? In: the stores' environment. Out: a JSON line for each fault.

    PYTHONPATH=. python benchmarks/stores.py /tmp/remote --only s3 gs az

A shard of 10,000 small pictures, one in a hundred a copy, is put into real stores on loopback (tests/sources/emulators.py says how
their environment is made), and `tellapart check` reads it: sound, with every other read refused (503), and with every other one cut
off in its middle. Azure's library waits 15 seconds and more after a refusal: of its reads two are refused.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from shards import EACH, make_shard

from tests.sources.emulators import BUCKET, EMULATORS, Fault, Started, gate, started

FAULTS: Mapping[str, Fault] = {
    "sound": lambda number, path: "",
    "refused": lambda number, path: "503" if number % 2 else "",
    "cut off": lambda number, path: "drop" if number % 2 else "",
}
PATIENT: Fault = lambda number, path: "503" if number in (1, 4) else ""  # noqa: E731


def until(there: Callable[[], object]) -> None:
    """Wait until it is there."""
    ends = time.monotonic() + 300
    while not there():
        if time.monotonic() > ends:
            raise SystemExit("the store did not start")
        time.sleep(0.1)


def check(store: Started, fault: Fault) -> dict[str, object]:
    """What `tellapart check` found, with an empty cache."""
    with tempfile.TemporaryDirectory(prefix="tellapart-stores-") as cache, gate(store.port, fault) as port:
        began = time.perf_counter()
        done = store.run("check", f"{store.emulator.scheme}://{BUCKET}/shards", "--json", port=port, cache=Path(cache))
        seconds = round(time.perf_counter() - began, 1)
    if done.returncode:
        return {"good": False, "seconds": seconds, "said": done.stderr[-400:]}
    found = json.loads(done.stdout)
    told = {name: len(found[name]) for name in ("unreadable", "exact_copies")}
    good = (found["pictures"], *told.values()) == (EACH, 0, EACH // 100)
    return {"good": good, "pictures": found["pictures"], **told, "seconds": seconds}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("environment", type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(EMULATORS), default=sorted(EMULATORS))
    arguments = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(prefix="tellapart-stores-") as name:
        make_shard(Path(name) / "shard.tar", 0)
        for kind in arguments.only:
            with started(EMULATORS[kind], arguments.environment, Path(name), until) as store:
                for what, fault in FAULTS.items():
                    patient = kind == "az" and what == "refused"
                    record = {"store": kind, "fault": what, **check(store, PATIENT if patient else fault)}
                    print(json.dumps(record), flush=True)
                    good = good and bool(record["good"])
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
