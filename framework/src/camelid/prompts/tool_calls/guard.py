"""A plugin's parser, watched: whatever it does, the client gets the answer."""

import logging
from collections.abc import Callable

import msgspec

from camelid.contracts.answers.parser import OutputParser, Parsed
from camelid.plugins.catalog import RegisteredAnswerFormat

__all__ = ("GuardedParser",)

_log = logging.getLogger("camelid.plugins")


class GuardedParser(OutputParser):
    """Passes on what another parser finds. When that fails, all text that it has not given yet is content."""

    def __init__(self, build: Callable[[], OutputParser], owner: RegisteredAnswerFormat) -> None:
        """Build the parser.

        Args:
            build: makes it; may raise anything.
            owner: whom to blame.
        """
        self._owner = owner
        self._unread = ""
        """Text that was fed and not given back: calls are not looked up in it, so theirs may stay."""
        self._parser: OutputParser | None = None
        try:
            parser = build()
            self.markup = msgspec.convert(parser.markup, tuple[str, ...])
            self.thoughts = msgspec.convert(parser.thoughts, tuple[str, str] | None)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - somebody else's code may raise anything; it is logged
            self._give_up(error)
        else:
            self._parser = parser

    def feed(self, text: str) -> list[Parsed]:
        """What the parser finds; the text itself if it failed."""
        self._unread += text
        return self._read(lambda parser: parser.feed(text))

    def finish(self) -> list[Parsed]:
        """The rest."""
        return self._read(lambda parser: parser.finish())

    def _read(self, read: Callable[[OutputParser], list[Parsed]]) -> list[Parsed]:
        if self._parser is not None:
            try:
                # Structs do not check what they are made of, and an answer that cannot be encoded is lost.
                found = msgspec.convert(msgspec.to_builtins(read(self._parser)), list[Parsed])
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
                self._give_up(error)
            else:
                self._forget(found)
                return found
        rest, self._unread = self._unread, ""
        return [Parsed(content=rest)] if rest else []

    def _forget(self, found: list[Parsed]) -> None:
        """The client has these pieces: look them up, in order, in the text that was fed."""
        for piece in found:
            if not piece.calls:
                text = piece.thinking or piece.content
                _, known, rest = self._unread.partition(text) if text else ("", "", self._unread)
                # A parser may change the text; then nothing tells how much of it is done.
                self._unread = rest if known or not text else ""

    def _give_up(self, error: BaseException) -> None:
        self._parser = None
        _log.warning(
            "plugin %s (%s): the parser of its answer format %r failed, the rest of the answer is passed on as text: "
            "%s: %s",
            self._owner.plugin,
            self._owner.distribution,
            self._owner.name,
            type(error).__name__,
            error,
            exc_info=error,
        )
