"""Two parsers, one after the other."""

from camelid.contracts.answers.parser import OutputParser, Parsed

__all__ = ("Pipeline",)


class Pipeline(OutputParser):
    """A parser that takes thinking out, and another one for the content that remains."""

    def __init__(self, thinking: OutputParser, content: OutputParser) -> None:
        self._thinking = thinking
        self._content = content
        self.markup = thinking.markup + content.markup
        self.thoughts = thinking.thoughts

    def feed(self, text: str) -> list[Parsed]:
        """Feed both."""
        return self._read(self._thinking.feed(text))

    def finish(self) -> list[Parsed]:
        """Finish the first, then the second."""
        return self._read(self._thinking.finish()) + self._content.finish()

    def _read(self, pieces: list[Parsed]) -> list[Parsed]:
        found: list[Parsed] = []
        for piece in pieces:
            found += self._content.feed(piece.content) if piece.content else [piece]
        return found
