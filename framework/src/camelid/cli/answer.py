"""Printing an answer while it streams (contract 19.5)."""

import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Final

import click
import msgspec

from camelid.cli.messages import AnswerLine
from camelid.cli.timings import timings_text
from camelid.cli.wordwrap import WordWrap
from camelid.errors import CamelidError

__all__ = ("Answer", "AnswerPrinter", "Display", "print_answer")

_MARGIN: Final = 5
"""Columns kept free at the right: some fonts draw characters wider than Unicode says."""


class Display(msgspec.Struct, frozen=True):
    """How answers are to be shown."""

    wordwrap: bool = True
    """Break lines between words, on a terminal."""
    thinking: bool = True
    """Show what the model thinks."""
    verbose: bool = False
    """Print the timings after each answer, on stderr."""


class Answer(msgspec.Struct, frozen=True):
    """What was printed."""

    content: str
    thinking: str
    last: AnswerLine | None
    """The line with the timings; None if the answer was cut short."""


class AnswerPrinter:
    """Writes the pieces of one answer to stdout: thinking between two marks, then the content."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns - _MARGIN if self._terminal and display.wordwrap else 0
        self._width = max(width, 0)
        self._wrap = WordWrap(self._width)
        self._content: list[str] = []
        self._thinking: list[str] = []
        self._thinks = False
        self._last: AnswerLine | None = None

    def show(self, line: AnswerLine) -> None:
        """Write the next line's piece."""
        if line.thought:
            self._thinking.append(line.thought)
            if self._display.thinking:
                self._show_thought(line.thought)
        if line.text:
            self._end_thinking()
            self._content.append(line.text)
            self._write(self._wrap.feed(line.text))
        if line.done:
            self._last = line

    def finish(self) -> Answer:
        """Write what was held back, and after an answer a line end and an empty line."""
        self._end_thinking()
        self._write(self._wrap.finish())
        if self._last is not None or self._content or (self._thinking and self._display.thinking):
            self._write("\n\n")
        return Answer("".join(self._content), "".join(self._thinking), self._last)

    def _show_thought(self, thought: str) -> None:
        if not self._thinks:
            self._thinks = True
            self._write_grey("Thinking...\n")
        self._write_grey(self._wrap.feed(thought))

    def _end_thinking(self) -> None:
        if self._thinks:
            self._thinks = False
            line_end = "" if self._thinking[-1].endswith("\n") else "\n"
            self._write_grey(f"{self._wrap.finish()}{line_end}...done thinking.\n\n")
            self._wrap = WordWrap(self._width)

    def _write_grey(self, text: str) -> None:
        if text:
            self._write(click.style(text, fg="bright_black") if self._terminal else text)

    def _write(self, text: str) -> None:
        if text:
            click.echo(text, nl=False)


def print_answer(lines: Generator[AnswerLine, None, None], display: Display) -> Answer:
    """Print a whole stream, and with `verbose` its timings.

    Ctrl+C closes the stream, so that the server stops generating; what was printed until then is the answer.

    Raises:
        CamelidError: the server's error, before or in the middle of the answer.
    """
    printer = AnswerPrinter(display)
    with closing(lines):
        try:
            for line in _first_with_spinner(lines):
                printer.show(line)
        except KeyboardInterrupt:
            return printer.finish()
        except CamelidError:
            printer.finish()
            raise
    answer = printer.finish()
    if display.verbose and answer.last is not None:
        click.echo(timings_text(answer.last), nl=False, err=True)
    return answer


def _first_with_spinner(lines: Iterator[AnswerLine]) -> Iterator[AnswerLine]:
    """The same lines; a terminal sees a spinner until there is one."""
    if sys.stderr.isatty() and sys.stdout.isatty():
        from camelid.cli.progress import ProgressDisplay

        with ProgressDisplay(transient=True) as waiting:
            waiting.status("")
            first = next(lines, None)
        if first is not None:
            yield first
    yield from lines
