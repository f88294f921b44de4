"""The command line. In: arguments. Out: an exit code. Next: train.py.

Each command's file is imported only when it is called, so that `--help` answers at once. Every TellapartError is caught
here, once; anything else that escapes is a bug and shows its traceback.
"""

from __future__ import annotations

import errno
import gc
import importlib
import io
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from tellapart.cli.speaking import LANGUAGES, OPTION, WIDTH, guard_screen, helped, language_asked, said, without_chinese
from tellapart.errors import TellapartError
from tellapart.memory import memory_errors

# name -> (module, one line for the list); the order is the order of the help
COMMANDS: Mapping[str, tuple[str, str]] = {
    "train": ("tellapart.cli.train", "Train a classifier on a folder of labelled pictures, and test it honestly."),
    "search": ("tellapart.cli.search", "Search for the best settings, and test what they give honestly."),
    "predict": ("tellapart.cli.predict", "Classify pictures with a trained model."),
    "check": ("tellapart.cli.check", "Look for unreadable pictures, copies, leaks and wrong labels."),
    "explain": ("tellapart.cli.explain", "Show why a model says what it says, and what it sees."),
    "compress": ("tellapart.cli.compress", "Make a trained model smaller and quicker, and tell what that costs."),
    "report": ("tellapart.cli.report", "Make the report of a finished run again."),
    "export": ("tellapart.cli.export", "Write a trained model in other formats, each tested."),
    "serve": ("tellapart.cli.serve", "Serve models over HTTP and gRPC."),
    "gallery": ("tellapart.cli.gallery", "Ship training pictures with a model, to show beside answers."),
    "shard": ("tellapart.cli.shard", "Pack pictures into shards: few large files, read in order."),
    "augment": ("tellapart.cli.augment", "Draw what training will see of pictures under augmentation."),
    "recipe": ("tellapart.cli.recipe", "Write a recipe from what a Keras program says of augmentation."),
    "evaluate": ("tellapart.cli.evaluate", "Test a trained model on labelled pictures."),
    "compare": ("tellapart.cli.compare", "Tell which of two models is better, and whether that is sure."),
    "next": ("tellapart.cli.next", "Tell what more pictures would bring."),
    "label": ("tellapart.cli.label", "Label pictures in the browser, one key each."),
    "info": ("tellapart.cli.info", "Show what a model file holds."),
    "network": ("tellapart.cli.network", "Show the layers of a network before it is trained."),
    "models": ("tellapart.cli.models", "List the pretrained networks to choose from."),
    "cache": ("tellapart.cli.cache", "Show or clear what is kept to save time."),
    "demo": ("tellapart.cli.demo", "Train and predict on a known data set."),
}


class _NobodyReads(Exception):
    """The pipe of standard output is closed. click would end with 1, before anybody here could say that it is no error."""

    def __init__(self, pipe: BrokenPipeError) -> None:
        super().__init__()
        self.pipe = pipe


class LazyGroup(click.Group):
    """A group that imports a command's module when it is called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands, in the table's order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return helped(command)

    def invoke(self, ctx: click.Context) -> Any:
        """As click's. Raises: _NobodyReads."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _NobodyReads(error) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said(text)) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the closest known name in the message."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else f" The commands are: {', '.join(COMMANDS)}."
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked:
        import importlib.metadata

        click.echo(f"tellapart {importlib.metadata.version('tellapart')}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: tellapart demo, or: tellapart train PICTURES (one folder of pictures a class, or a CSV).",
)
@click.option(
    OPTION,
    type=click.Choice(LANGUAGES),
    expose_value=False,
    help="The language of the screen, before the command.  [default: TELLAPART_LANG, or the system's]",
)
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Show the version and exit."
)
def main() -> None:
    """A folder of labelled pictures becomes a trained, honestly tested, deployable classifier."""


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 for success, 2 for a user's error, 130 for Ctrl-C."""
    # Imports make millions of objects that live on; looking for garbage among them every 700 costs a tenth of a short run.
    gc.set_threshold(100_000, 20, 20)
    # Pydantic asks every package that is installed, hundreds of files, whether it brings a plugin; a command uses none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    sys.exit(execute(arguments))


def execute(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe that lacks a character shows its code instead of ending the command.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    width: dict[str, Any] = {}
    chinese = language_asked(sys.argv[1:] if arguments is None else arguments) == "zh"
    lacking = without_chinese() if chinese else ""
    guard_screen(chinese=chinese and not lacking)
    if lacking:
        print(
            f"! The screen speaks English: its encoding, {lacking}, has no Chinese letters. For Chinese, set "
            "PYTHONIOENCODING=utf-8 where the terminal shows UTF-8.",
            file=sys.stderr,
        )
    elif chinese:
        helped(main)
        width = {"max_content_width": WIDTH, "terminal_width": WIDTH}
    try:
        with memory_errors():
            code: Any = main.main(
                args=without_secrets(arguments), prog_name="tellapart", standalone_mode=False, **width
            )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except TellapartError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("\nStopped.", file=sys.stderr)
        return 130
    except OSError as error:
        return _output_failed(error)
    except _NobodyReads as gone:
        return _output_failed(gone.pipe)


def without_secrets(arguments: list[str] | None) -> list[str]:
    """The arguments with addresses of shards told, and without their passwords and signatures: nothing that is written has them.

    Raises: SettingsError where one of them is to be written to.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if not any(":/" in argument for argument in given):
        return given
    from tellapart.sources.remote.addresses import check_written_here, tell_argument

    told = [tell_argument(argument) for argument in given]
    check_written_here(told)
    return told


def _output_failed(error: OSError) -> int:
    """Standard output cannot be written, or a place may not be entered; anything else is a bug and goes on upward."""
    if isinstance(error, PermissionError) and error.filename is not None:
        print(
            f"Error: no permission to use {error.filename}. Change it with chmod, or choose another place.",
            file=sys.stderr,
        )
        return 2
    if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EIO):
        raise error
    from tellapart.cli.console import discard_output

    discard_output()
    if error.errno == errno.EPIPE:
        return 0  # the reader (`| head`) has what it wanted
    print(f"Error: standard output cannot be written: {error.strerror}. Send it elsewhere.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    run()
