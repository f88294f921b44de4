"""Every error that a user can meet, as one tree. In: what went wrong. Out: one sentence for the screen. Next: cli/main.py.

TellapartError            exit code 2, no traceback: value, rule, remedy
├── PictureError          one picture cannot be used; the run goes on without it
├── DataError             the folder or table cannot be trained on or evaluated
├── SettingsError         a flag or a recipe key is wrong
├── BackboneError         a backbone name is unknown, or its weights do not fit
│   └── BackboneUnavailable   its weights are not here, and no hub can be reached
├── TrainingError         the training itself went wrong: the loss is no longer a number
│   └── ForeignCheckpoint     its checkpoints belong to another training
├── CompressionMissed     a smaller network would lose more than it may
├── MachineError          the memory ran out, or the system ended a process of ours
├── ModelFileError        the model file is not ours, damaged, too new or tampered with
├── ExportError           a converter is missing or cannot convert, or what it made answers otherwise
├── MissingExtra          the command needs an extra that is not installed
│   └── MissingFormat     a file of this kind does
└── StorageError          the disk is full, or a folder cannot be read or written
"""

from __future__ import annotations


def kind_of(value: object) -> str:
    """What a value is, for a message: "a list", "an int", "None"."""
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


class TellapartError(Exception):
    """The root of the tree; the command line catches it once and exits with code 2."""

    exit_code = 2


class PictureError(TellapartError):
    """One picture cannot be used. `str(error)` is the reason, without the path."""


class DataError(TellapartError):
    """The pictures as a whole cannot be used: no folder, no class, too few pictures, a bad table."""


class SettingsError(TellapartError):
    """A setting has an unknown name or a value outside its range."""


class BackboneError(TellapartError):
    """The backbone is unknown, or its weights can be had neither here nor from the hub."""


class BackboneUnavailable(BackboneError):
    """The weights are neither here nor to be had from the hub; another backbone, or a network, would help."""


class TrainingError(TellapartError):
    """The training itself went wrong: the loss is no longer a finite number."""


class ForeignCheckpoint(TrainingError):
    """The checkpoints in a run's folder belong to another training, of other settings or pictures, or to another version."""


class CompressionMissed(TellapartError):
    """A smaller network loses more than was allowed, or none keeps the bound that was asked for."""


class MachineError(TellapartError):
    """The memory ran out, or the system ended a process of ours."""


class ModelFileError(TellapartError):
    """The file is not a tellapart model that this version can run."""


class ExportError(TellapartError):
    """A converter is missing, of another version, or cannot convert the model; or what it made answers otherwise than the model."""


class MissingExtra(TellapartError):
    """A command was called whose extra is not installed."""

    def __init__(self, command: str, extra: str, module: str) -> None:
        self._given = (command, extra, module)
        super().__init__(
            f"`tellapart {command}` needs the package {module!r}, which is not installed. "
            f'Install the extra with: pip install "tellapart[{extra}]"'
        )

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str]]:
        # An exception is pickled as its class and its text, which is not what this class is made of.
        return MissingExtra, self._given


class MissingFormat(MissingExtra):
    """A file is of a kind whose extra is not installed."""

    def __init__(self, file: str, extra: str, module: str) -> None:
        TellapartError.__init__(
            self,
            f"{file} needs the package {module!r}, which is not installed. "
            f'Install the extra with: pip install "tellapart[{extra}]"',
        )


class StorageError(TellapartError):
    """A file or folder cannot be read or written: disk full, or no permission."""


def one_line(error: object, *, most: int = 200) -> str:
    """What an error of another library says, in one line of at most `most` characters that ends with a word."""
    said = " ".join(str(error).split()) or type(error).__name__
    if len(said) <= most:
        return said
    cut = said[: most - 1]
    head = cut.rpartition(" ")[0]
    return f"{head if len(head) > most // 2 else cut}…"
