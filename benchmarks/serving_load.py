"""Asks a server, and times its answers. In: a plan as JSON on standard input. Out: figures as JSON. Next: serving.py.

A process of its own, so that its share of the cores can be told. It does as little as it can: requests are built beforehand, and
an answer is read as far as its status and its end.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
AGAIN_SECONDS = 0.02  # until a client of a closed loop comes again after a 429
MOST_OUTSTANDING = 2000  # of an open loop; beyond that, arrivals are lost and counted as such
DRAIN_SECONDS = 15.0  # for the last answers of an open loop

Ask = Callable[[bytes], Awaitable[str]]  # a request, built -> "ok", "refused" or what else it was


class Connection(asyncio.Protocol):
    """HTTP/1.1, one request at a time."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer, self.answer = transport, bytearray(), None
        self.body = b""  # of the last answer

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0 or self.answer is None or not self._whole(head):
            return
        status, self.body, self.buffer = int(self.buffer[9:12]), bytes(self.buffer[head + 4 :]), bytearray()
        self._finish("ok" if status == 200 else "refused" if status in (429, 503) else str(status))

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish("connection lost")

    def ask(self, request: bytes) -> asyncio.Future[str]:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer

    def _whole(self, head: int) -> bool:
        fields = bytes(self.buffer[:head]).lower()
        at = fields.find(b"content-length:")
        if at < 0:
            return self.buffer.endswith(b"0\r\n\r\n")
        return len(self.buffer) >= head + 4 + int(fields[at + 15 :].split(b"\r\n", 1)[0])

    def _finish(self, outcome: str) -> None:
        if self.answer is not None and not self.answer.done():
            self.answer.set_result(outcome)


class Http:
    """Connections that are kept; a new one where all are busy."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._port, self._idle = plan["port"], []

    async def ask(self, request: bytes) -> str:
        return (await self.ask_and_read(request))[0]

    async def ask_and_read(self, request: bytes) -> tuple[str, bytes]:
        """What came of it, and the answer's body."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.transport.is_closing():
                break
        else:
            loop = asyncio.get_running_loop()
            try:
                _, connection = await loop.create_connection(Connection, HOST, self._port)
            except OSError:
                return "no connection", b""
        outcome = await connection.ask(request)
        self._idle.append(connection)
        return outcome, connection.body


class Grpc:
    """gRPC, bytes in and out."""

    def __init__(self, plan: dict[str, Any]) -> None:
        import grpc.aio

        self._failed, self._exhausted = grpc.aio.AioRpcError, grpc.StatusCode.RESOURCE_EXHAUSTED
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(f"{HOST}:{plan['port']}", options=options) for _ in range(4)]
        self._calls = [one.unary_unary("/inference.GRPCInferenceService/ModelInfer") for one in channels]
        self._next = 0

    async def ask(self, request: bytes) -> str:
        self._next += 1
        try:
            await self._calls[self._next % len(self._calls)](request)
        except self._failed as error:
            return "refused" if error.code() is self._exhausted else error.code().name
        return "ok"


def build_requests(plan: dict[str, Any]) -> list[bytes]:
    """A request for each file, as bytes on the wire; for every few of them where the plan says `together`."""
    if (together := plan.get("together", 1)) > 1:
        files = [Path(file).read_bytes() for file in plan["files"]]
        return [_form(plan, [files[(at + i) % len(files)] for i in range(together)]) for at in range(len(files))]
    build = {
        "raw": _raw,
        "json": _json,
        "multipart": _multipart,
        "base64": _base64,
        "v2": _v2,
        "grpc": _grpc,
        "built": lambda _, data: data,
    }[plan["encoding"]]
    return [build(plan, Path(file).read_bytes()) for file in plan["files"]]


def _http(plan: dict[str, Any], body: bytes, *fields: str) -> bytes:
    lines = (f"POST {plan['path']} HTTP/1.1", f"Host: {HOST}:{plan['port']}", f"Content-Length: {len(body)}", *fields)
    return "\r\n".join((*lines, "", "")).encode() + body


def _raw(plan: dict[str, Any], data: bytes) -> bytes:
    return _http(plan, data, "Content-Type: image/jpeg")


def _json(plan: dict[str, Any], data: bytes) -> bytes:
    return _http(plan, data, "Content-Type: application/json")


def _multipart(plan: dict[str, Any], data: bytes) -> bytes:
    return _form(plan, [data])


def _form(plan: dict[str, Any], files: list[bytes]) -> bytes:
    head = f'--part\r\nContent-Disposition: form-data; name="{plan["field"]}"; filename="a.jpg"\r\n'
    head += "Content-Type: image/jpeg\r\n\r\n"
    body = b"".join(head.encode() + data + b"\r\n" for data in files) + b"--part--\r\n"
    return _http(plan, body, "Content-Type: multipart/form-data; boundary=part")


def _base64(plan: dict[str, Any], data: bytes) -> bytes:
    body = json.dumps({"image": base64.b64encode(data).decode()}).encode()
    return _http(plan, body, "Content-Type: application/json")


def _v2(plan: dict[str, Any], data: bytes) -> bytes:
    raw = struct.pack("<I", len(data)) + data
    one = {"name": "image", "datatype": "BYTES", "shape": plan["shape"], "parameters": {"binary_data_size": len(raw)}}
    wanted = [{"name": "probabilities", "parameters": {"binary_data": True}}]
    head = json.dumps({"inputs": [one], "outputs": wanted}).encode()
    return _http(plan, head + raw, f"Inference-Header-Content-Length: {len(head)}")


def _grpc(plan: dict[str, Any], data: bytes) -> bytes:
    from tellapart.serving import protobuf

    request = protobuf.read_service("open_inference.proto", "GRPCInferenceService").methods["ModelInfer"][0]
    built: bytes = request(
        model_name=plan["model"],
        inputs=[{"name": "image", "datatype": "BYTES", "shape": plan["shape"]}],
        outputs=[{"name": "probabilities"}],
        raw_input_contents=[struct.pack("<I", len(data)) + data],
    ).SerializeToString()
    return built


class Seen:
    """Outcomes and their seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.counts: Counter[str] = Counter()

    def add(self, outcome: str, seconds: float) -> None:
        self.seconds.setdefault(outcome, []).append(seconds)
        self.counts[outcome] += 1

    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = {"outcomes": dict(self.counts)}
        for outcome in ("ok", "refused"):
            if times := sorted(self.seconds.get(outcome, ())):
                for percent in (50, 99):
                    at = min(len(times) - 1, len(times) * percent // 100)
                    found[f"{outcome}_p{percent}_ms"] = round(1000 * times[at], 2)
        return found


async def closed_loop(ask: Ask, requests: list[bytes], *, clients: int, seconds: float) -> Seen:
    """Each client sends its next request when it has the answer."""
    seen, end = Seen(), time.perf_counter() + seconds

    async def one(at: int) -> None:
        while (started := time.perf_counter()) < end:
            outcome = await ask(requests[at % len(requests)])
            now = time.perf_counter()
            if now <= end:
                seen.add(outcome, now - started)
            else:
                seen.counts["after the end"] += 1
            at += clients
            if outcome != "ok":
                await asyncio.sleep(AGAIN_SECONDS)

    await asyncio.gather(*(one(at) for at in range(clients)))
    return seen


async def open_loop(ask: Ask, requests: list[bytes], *, rate: float, settle: float, seconds: float, seed: int) -> Seen:
    """Requests arrive by themselves, at random (Poisson); an answer's time counts from when it should have been sent.

    Those of the first `settle` seconds are sent, but not counted: a queue that has been empty takes a burst.
    """
    seen, chance, waiting = Seen(), random.Random(seed), set()
    started = time.perf_counter()
    arrival = 0.0

    async def one(at: int, due: float) -> None:
        outcome = await ask(requests[at % len(requests)])
        if due >= started + settle:
            seen.add(outcome, time.perf_counter() - due)

    for at in range(10**9):
        arrival += chance.expovariate(rate)
        if arrival > settle + seconds:
            break
        ahead = started + arrival - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        if len(waiting) >= MOST_OUTSTANDING:
            seen.counts["not sent"] += 1
            continue
        task = asyncio.create_task(one(at, started + arrival))
        waiting.add(task)
        task.add_done_callback(waiting.discard)
    if waiting:
        _, late = await asyncio.wait(waiting, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        seen.counts["not answered"] += len(late)
    return seen


async def main() -> None:
    plan = json.load(sys.stdin)
    requests = build_requests(plan)
    ask = (Grpc(plan) if plan["encoding"] in ("grpc", "built") else Http(plan)).ask
    await closed_loop(ask, requests, clients=plan.get("clients", 1), seconds=plan["warm_up"])
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    if "rate" in plan:
        seen = await open_loop(
            ask, requests, rate=plan["rate"], settle=plan["settle"], seconds=plan["seconds"], seed=plan["seed"]
        )
    else:
        seen = await closed_loop(ask, requests, clients=plan["clients"], seconds=plan["seconds"])
    after, spent = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    ok = seen.counts["ok"] / plan["seconds"]
    print(json.dumps({"ok_a_second": round(ok, 1), **seen.figures(), "generator_cores": round(cpu / spent, 3)}))


if __name__ == "__main__":
    asyncio.run(main())
