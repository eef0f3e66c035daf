"""Flags as Go programs read them, and so as scripts written for Ollama give them."""

from collections.abc import Iterator

import click

__all__ = ("GoCommand",)

_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


class GoCommand(click.Command):
    """Switches may be given as `--verbose=true` or `=false`, and values as `-f=Modelfile`; where a value may be left
    out, as in `--think`, the next word is never that value.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Spell the flags as click knows them; what follows `--` is text."""
        end = args.index("--") if "--" in args else len(args)
        return super().parse_args(ctx, [*self._spelled(args[:end]), *args[end:]])

    def _spelled(self, args: list[str]) -> Iterator[str]:
        options = {flag: option for option in self.params if isinstance(option, click.Option) for flag in option.opts}
        for arg in args:
            flag, equals, value = arg.partition("=")
            option = options.get(flag)
            if option is None:
                yield arg
            elif not option.is_flag and equals and not flag.startswith("--"):
                yield from (flag, value)
            elif not option.is_flag:
                optional = not equals and isinstance(option.flag_value, str)
                yield f"{flag}={option.flag_value}" if optional else arg
            elif value in _FALSE:
                yield from option.secondary_opts
            else:
                yield flag if value in _TRUE else arg
