"""Log-probabilities as OpenAI's chat shows them."""

from collections.abc import Iterable

import msgspec

from camelid.types.generation import GenerationChunk, TokenAlternative, TokenLogprob

__all__ = ("ChoiceLogprobs", "LogprobEntry", "SeenTokens", "choice_logprobs", "shown_logprobs")


class TopLogprob(msgspec.Struct):
    """A token that could have stood in a place."""

    token: str
    logprob: float
    bytes: tuple[int, ...]


class LogprobEntry(TopLogprob):
    """The token that stands there, and the most likely ones."""

    top_logprobs: tuple[TopLogprob, ...] = ()


class ChoiceLogprobs(msgspec.Struct):
    """All that is known of the tokens of an answer, or of a piece of it."""

    content: tuple[LogprobEntry, ...]


def choice_logprobs(entries: Iterable[TokenLogprob]) -> ChoiceLogprobs | None:
    """The log-probabilities of a piece of an answer; None if there are none."""
    content = shown_logprobs(entries)
    return ChoiceLogprobs(content) if content else None


def shown_logprobs(entries: Iterable[TokenLogprob]) -> tuple[LogprobEntry, ...]:
    """Log-probabilities as clients know them."""
    return tuple(
        LogprobEntry(*_shown(entry), tuple(TopLogprob(*_shown(other)) for other in entry.top)) for entry in entries
    )


class SeenTokens:
    """Finds the tokens of an answer's visible text among those of its thoughts, its calls, and what marks them.

    Which token belongs to which piece is told by nobody: those that a piece of text ends with are its own, as many as
    it takes to make so many bytes.
    """

    def __init__(self) -> None:
        self._tokens: list[TokenLogprob] = []

    def of_piece(self, chunk: GenerationChunk) -> tuple[TokenLogprob, ...]:
        """The tokens of the text in a chunk, some of which may have come with earlier chunks."""
        self._tokens += chunk.logprobs
        if not chunk.content:
            if chunk.thinking or chunk.tool_calls:
                self._tokens = list(chunk.logprobs)
            return ()
        first, size = len(self._tokens), len(chunk.content.encode("utf-8", "replace"))
        while first and size > 0:
            first -= 1
            size -= len(self._tokens[first].text)
        found, self._tokens = tuple(self._tokens[first:]), []
        return found


def _shown(entry: TokenLogprob | TokenAlternative) -> tuple[str, float, tuple[int, ...]]:
    return entry.text.decode("utf-8", "replace"), entry.logprob, tuple(entry.text)
