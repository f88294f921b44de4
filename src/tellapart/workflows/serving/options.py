"""What a server was told, and where it listens. In: flags. Out: ServeOptions, Ports. Next: process.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import SettingsError
from tellapart.runtime import BATCH
from tellapart.serving.engines import EngineName
from tellapart.serving.scaled import Accept


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """What `tellapart serve` was told."""

    models: tuple[str, ...]  # PATH or NAME=PATH
    host: str = "127.0.0.1"
    port: int = 8501  # TensorFlow Serving's; 0: any free one
    grpc_port: int | None = 8500  # TensorFlow Serving's; 0: any free one; None: no gRPC
    max_batch: int = BATCH
    max_delay_ms: float = 0.0
    queue: int = 128  # pictures
    max_wait_ms: float | None = None  # of a queue that stands; None: as long as four pictures take, and 50
    timeout: float = 30.0  # seconds, the longest that a request may take
    max_body_mb: int = 64
    max_megapixels: int = 50
    max_requests: int = 512  # under way at a time, in one process
    keep: int = 2  # versions of a model
    poll: float = 2.0  # seconds between two looks at the disk; 0: never
    control: bool = False  # clients may load and unload
    api_key_file: Path | None = None
    allow_host: tuple[str, ...] = ()  # names that the server answers to, beside its own
    allow_origin: tuple[str, ...] = ()  # sites whose pages may ask it
    corrections: Path | None = None  # the folder for what people correct; None: they cannot
    corrections_mb: int = 1000  # at most in that folder
    engine: EngineName = "auto"
    accept: Accept = "bytes"  # how clients scale pixels that they send as floats
    threads: int | None = None  # that classify; None: one a core
    workers: int = 1  # processes
    linger: float = 0.0  # seconds
    access_log: bool = True
    in_chinese: Callable[[str], str] | None = None  # says a reason on the page in Chinese
    quiet: bool = False  # several processes say nothing of the versions that they serve


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the server listens."""

    host: str
    http: int
    grpc: int | None


def check_options(options: ServeOptions) -> None:
    """Raises: SettingsError for options that cannot go together."""
    if options.control and options.workers > 1:
        raise SettingsError(
            f"--control and --workers {options.workers} do not go together: a request to load would reach one process only. "
            "Use one process, or leave --control out: new versions are found on disk."
        )
    if options.workers > 1 and options.grpc_port == 0:
        raise SettingsError("--grpc-port 0 with several --workers would give each another port. Name the port.")
    if options.max_delay_ms >= 1000 * options.timeout:
        raise SettingsError(
            f"--max-delay-ms {options.max_delay_ms:g} is not below --timeout {options.timeout:g} s; a lone picture would never be "
            "answered. Lower the delay."
        )
    if options.queue < options.max_batch:
        raise SettingsError(
            f"--queue {options.queue} is below --max-batch {options.max_batch}; a batch could not fill. Raise --queue."
        )


def grpc_taken(options: ServeOptions) -> SettingsError:
    """The error where the port for gRPC is not free."""
    return SettingsError(
        f"cannot listen on {options.host}:{options.grpc_port} for gRPC. Choose another --grpc-port, or --no-grpc, or end what "
        "has it."
    )
