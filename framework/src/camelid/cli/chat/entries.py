"""What a slash command is: its words, its line in the help, and what it does, together in one place.

The tables of such entries are all there is: help, completion, dispatch and the reference page are made from them.
"""

from collections.abc import Callable, Sequence

import msgspec

from camelid.cli.chat.session import ChatSession

__all__ = ("Entry", "find", "help_lines")


class Entry(msgspec.Struct, frozen=True):
    """A slash command, or what may follow one."""

    words: tuple[str, ...]
    """Its names; the first is the usual one."""
    summary: str
    act: Callable[[ChatSession, str], str] | None
    """Given the rest of the line, it does its work and returns what to print, with its line end; None ends the chat."""
    arguments: str = ""
    """What follows, as help shows it; a plain word stands for itself."""
    entries: tuple["Entry", ...] = ()
    """What may follow, if that is a choice."""

    @property
    def usage(self) -> str:
        """How it is typed."""
        return f"{', '.join(self.words)} {self.arguments}".rstrip()

    @property
    def completions(self) -> tuple[str, ...]:
        """Every line that typing may lead to."""
        if self.entries:
            return tuple(f"{self.words[0]} {line}" for entry in self.entries for line in entry.completions)
        return (f"{self.words[0]} {self.arguments}",) if self.arguments.isalpha() else self.words


def find(entries: Sequence[Entry], word: str) -> Entry | None:
    """The entry that has this name."""
    return next((entry for entry in entries if word in entry.words), None)


def help_lines(entries: Sequence[Entry], before: str = "") -> str:
    """The table of `entries`, each after the word `before`, as the help of a chat prints it."""
    usages = [f"{before} {entry.usage}".lstrip() for entry in entries]
    width = max(map(len, usages)) + 3
    lines = (f"  {usage:<{width}}{entry.summary}\n" for usage, entry in zip(usages, entries, strict=True))
    return f"Available Commands:\n{''.join(lines)}\n"
