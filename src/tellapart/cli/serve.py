"""`tellapart serve MODEL...`. In: models, options. Out: a server on two ports. Next: workflows/serve.py."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from tellapart.workflows.serving.options import Ports

_PORT = click.IntRange(0, 65535)


class _Number(click.FloatRange):
    """A number in a range; click's lets nan pass."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number. Raises: BadParameter."""
        if (number := super().convert(value, param, ctx)) != number:
            self.fail(f"{value!r} is not a number of {self._describe_range()}.", param, ctx)
        return number


@click.command(
    "serve",
    epilog="""\b
Examples:
  tellapart serve runs/latest
  tellapart serve cats=runs/cats-1 cells=models/cells --host 0.0.0.0 --api-key-file keys.txt
  tellapart serve models/ --max-batch 16 --queue 256
  tellapart serve runs/latest --corrections corrections/
  curl -F file=@cat.jpg http://127.0.0.1:8501/predict
  curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg' 'http://127.0.0.1:8501/predict?top=3'""",
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL_OR_FOLDER...")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for all.")
@click.option("--port", type=_PORT, default=8501, show_default=True, help="For HTTP; 0 takes any free one.")
@click.option("--grpc-port", type=_PORT, default=8500, show_default=True, help="For gRPC; 0 takes any free one.")
@click.option("--no-grpc", is_flag=True, help="HTTP only.")
@click.option(
    "--max-batch",
    type=click.IntRange(1, 1024),
    default=8,
    show_default=True,
    help="Pictures in a batch, at most; fewer where that saves nothing.",
)
@click.option(
    "--max-delay-ms",
    type=_Number(0, 10_000),
    default=0.0,
    show_default=True,
    help="How long a free core waits for a batch to fill.",
)
@click.option("--queue", type=click.IntRange(1), default=128, show_default=True, help="Pictures that may wait.")
@click.option(
    "--max-wait-ms",
    type=_Number(0, 3_600_000),
    help="How long a picture may wait where the queue never empties. [default: as long as 4 pictures take, at least 50]",
)
@click.option(
    "--timeout", type=_Number(0.01, 3600), default=30.0, show_default=True, help="Seconds a request may take."
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "onnxruntime", "openvino", "openvino-bfloat16"]),
    default="auto",
    show_default=True,
    help="What runs the network; auto takes OpenVINO where it is installed, gives the same to 0.0001, and is quicker.",
)
@click.option(
    "--accept",
    type=click.Choice(["bytes", "scaled01", "scaled11"]),
    default="bytes",
    show_default=True,
    help="How clients send pixels that are no file: whole numbers from 0 to 255, or floats from 0 to 1, or from -1 to 1, as the "
    "programs of many tutorials do.",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="Threads that classify. [default: one a core]")
@click.option("--workers", type=click.IntRange(1, 256), default=1, show_default=True, help="Processes.")
@click.option(
    "--keep", type=click.IntRange(1), default=2, show_default=True, help="Newest versions of a model to serve."
)
@click.option(
    "--poll",
    type=_Number(0, 86_400),
    default=2.0,
    show_default=True,
    help="Seconds between two looks for new versions; 0 for never.",
)
@click.option("--control", is_flag=True, help="Clients may load and unload models; new versions wait for that.")
@click.option("--api-key-file", type=click.Path(path_type=Path), help="Ask for one of these keys, one a line.")
@click.option(
    "--allow-host",
    multiple=True,
    metavar="NAME",
    help="Answer to this name too, and to no others but localhost. [default: on 127.0.0.1 localhost, elsewhere any]",
)
@click.option(
    "--allow-origin",
    multiple=True,
    metavar="SITE",
    help="Let pages of this site ask, such as https://cats.example.com (CORS); may be repeated. [default: its own page alone]",
)
@click.option(
    "--corrections",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Let people correct answers: pictures and right classes go to FOLDER/MODEL, which `tellapart train --labels` takes.",
)
@click.option(
    "--corrections-mb", type=click.IntRange(1), default=1000, show_default=True, help="Megabytes that FOLDER may hold."
)
@click.option("--max-body-mb", type=click.IntRange(1, 2048), default=64, show_default=True, help="Megabytes a request.")
@click.option(
    "--max-megapixels", type=click.IntRange(1, 170), default=50, show_default=True, help="Million pixels a picture."
)
@click.option("--max-requests", type=click.IntRange(1), default=512, show_default=True, help="Requests at a time.")
@click.option(
    "--linger",
    type=_Number(0, 3600),
    default=0.0,
    show_default=True,
    help="Seconds to answer on after SIGTERM, while a load balancer notices.",
)
@click.option("--no-access-log", is_flag=True, help="No line of JSON for each request on standard error.")
@click.option("--quiet", is_flag=True, help="Say only why it ends; /metrics counts the rest.")
def command(models: tuple[str, ...], no_grpc: bool, no_access_log: bool, quiet: bool, **options: Any) -> None:
    """Serve models over HTTP and gRPC.

    A model is a model.onnx, a run's folder, or a folder of numbered versions (MODEL/1/model.onnx); a folder of models serves
    them all. NAME=PATH names a model; imagenet:NAME is a pretrained network with ImageNet's classes. New
    versions are served as they appear.

    In a browser the address shows a page to try them. Protocols: POST /predict for people, TensorFlow Serving's REST (/v1),
    Open Inference Protocol over HTTP (/v2) and gRPC. /openapi.json describes them, /metrics counts.
    """
    from tellapart.cli.extras import require
    from tellapart.cli.model_argument import served
    from tellapart.cli.translating import translate

    require("serve", "serve")
    from tellapart.workflows.serve import serve
    from tellapart.workflows.serving.options import ServeOptions

    def say(text: str) -> None:
        if not quiet:
            with contextlib.suppress(OSError):
                print(text, file=sys.stderr, flush=True)

    def ready(ports: Ports) -> None:
        host = f"[{ports.host}]" if ":" in ports.host else ports.host
        say(f"HTTP on http://{host}:{ports.http}")
        if ports.grpc is not None:
            say(f"gRPC on {host}:{ports.grpc}")

    if no_grpc:
        options["grpc_port"] = None
    chosen = ServeOptions(
        models=tuple(map(served, models)),
        access_log=not (no_access_log or quiet),
        quiet=quiet,
        in_chinese=translate,
        **options,
    )
    serve(chosen, say=say, ready=ready)
