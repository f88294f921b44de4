"""Options that take several words of a list: `--to onnx openvino`. In: arguments. Out: those that click knows. Next: export.py.

click's options take one word each time. Here the words that follow such an option, until the next option, are its own, but for the
command's arguments: a word that is not in the list, and stands where an argument is still missing, is that argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import click


class SeveralWords(click.Command):
    """A command of which the options with `multiple` and a Choice take several words at once."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click's. Raises: click.UsageError."""
        return super().parse_args(ctx, self.spread(args))

    def spread(self, args: Sequence[str]) -> list[str]:
        """The same arguments, with an option's name before each of its words."""
        options = {name: one for one in self.params if isinstance(one, click.Option) for name in one.opts}
        missing = sum(isinstance(one, click.Argument) for one in self.params)
        return _repeated(args, options, missing)


def _repeated(args: Sequence[str], options: Mapping[str, click.Option], missing: int) -> list[str]:
    """Arguments with an option's name before each of its words; `missing` arguments are wanted besides."""
    missing -= _placed(args, options)
    found: list[str] = []
    rest = list(args)
    while rest:
        name = rest.pop(0)
        found.append(name)
        if name == "--":
            return found + rest
        option = options.get(name)
        if option is None or option.is_flag or not rest:
            continue
        found.append(rest.pop(0))
        while _takes_more(option) and rest and not rest[0].startswith("-"):
            if rest[0] in _words(option) or missing <= 0:
                found += [name, rest.pop(0)]
            else:
                found.append(rest.pop(0))
                missing -= 1
    return found


def _placed(args: Sequence[str], options: Mapping[str, click.Option]) -> int:
    """How many arguments stand where no option can take them for its own."""
    count, taking = 0, False  # taking: the last option takes all words until the next
    rest = list(args)
    while rest:
        name = rest.pop(0)
        if name == "--":
            return count + len(rest)
        if name.startswith("-") and name != "-":
            option = options.get(name)
            taking = option is not None and _takes_more(option)
            if option is not None and not option.is_flag and rest:
                rest.pop(0)
        elif not taking:
            count += 1
    return count


def _takes_more(option: click.Option) -> bool:
    return option.multiple and isinstance(option.type, click.Choice)


def _words(option: click.Option) -> Sequence[str]:
    return [str(one) for one in option.type.choices] if isinstance(option.type, click.Choice) else []
