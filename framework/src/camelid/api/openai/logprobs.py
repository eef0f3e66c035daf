"""Log-probabilities as OpenAI's chat shows them."""

from collections.abc import Iterable

import msgspec

from camelid.types.generation import TokenAlternative, TokenLogprob

__all__ = ("ChoiceLogprobs", "choice_logprobs")


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
    content = tuple(
        LogprobEntry(*_shown(entry), tuple(TopLogprob(*_shown(other)) for other in entry.top)) for entry in entries
    )
    return ChoiceLogprobs(content) if content else None


def _shown(entry: TokenLogprob | TokenAlternative) -> tuple[str, float, tuple[int, ...]]:
    return entry.text.decode("utf-8", "replace"), entry.logprob, tuple(entry.text)
