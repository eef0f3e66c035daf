"""What is in the text that a model writes: thinking, answer and tool calls (contract 12.5 to 12.7)."""

from abc import ABC, abstractmethod

import msgspec

from camelid.contracts.answers.scanner import Scanner, Steps
from camelid.types.messages import ToolCall

__all__ = ("OutputParser", "Parsed", "ScanningParser")


class Parsed(msgspec.Struct, frozen=True):
    """A piece of an answer; only one of its fields is not empty."""

    thinking: str = ""
    content: str = ""
    calls: tuple[ToolCall, ...] = ()


class OutputParser(ABC):
    """Reads one answer as it comes. What it finds does not depend on where the text was cut into pieces."""

    markup: tuple[str, ...] = ()
    """Tags that it looks for. Vocabularies may have them as control tokens, which are no text unless asked for."""
    thoughts: tuple[str, str] | None = None
    """For answers in a `format` (contract 3.4): what opens and what closes the thoughts before the text, which are left
    free; the opening text is empty if they have begun. None if all of the answer is text."""

    @abstractmethod
    def feed(self, text: str) -> list[Parsed]:
        """Take the next piece.

        Returns:
            What is certain now, in the order of the answer. Text that may turn out to be markup is held back.
        """

    @abstractmethod
    def finish(self) -> list[Parsed]:
        """End the answer.

        Returns:
            What was held back, in order.
        """


class ScanningParser(OutputParser):
    """A parser that is written as if all the text were there."""

    def __init__(self) -> None:
        self.text = Scanner()
        self._found: list[Parsed] = []
        self._steps = self.read()

    @abstractmethod
    def read(self) -> Steps[None]:
        """Read `self.text` to its end, telling what is found by `say`, `think` and `call`."""

    def feed(self, text: str) -> list[Parsed]:
        """Read as far as the text reaches."""
        self.text.feed(text)
        return self._advance()

    def finish(self) -> list[Parsed]:
        """Read the rest."""
        self.text.end()
        return self._advance()

    def say(self, text: str) -> None:
        """Found a piece of the answer's content."""
        if text:
            self._add(Parsed(content=text))

    def think(self, text: str) -> None:
        """Found a piece of thinking."""
        if text:
            self._add(Parsed(thinking=text))

    def call(self, call: ToolCall) -> None:
        """Found a tool call."""
        self._found.append(Parsed(calls=(call,)))

    def _add(self, piece: Parsed) -> None:
        """Add text, joined to what came just before if that is of the same kind."""
        last = self._found[-1] if self._found else None
        if last is not None and not last.calls and bool(last.thinking) == bool(piece.thinking):
            piece = Parsed(last.thinking + piece.thinking, last.content + piece.content)
            self._found.pop()
        self._found.append(piece)

    def _advance(self) -> list[Parsed]:
        next(self._steps, None)
        found, self._found = self._found, []
        return found
