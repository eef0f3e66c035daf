"""The lines of `/api/compare`, put together."""

from collections.abc import Iterator
from typing import Final

import msgspec

from camelid.cli.messages import CompareLine
from camelid.cli.sizes import human_bytes
from camelid.services.comparison import Agreement, Compared, Loaded

__all__ = ("HEAD", "Comparison", "Result", "cells")

HEAD: Final = (
    "MODEL",
    "BACKEND",
    "FIRST TOKEN",
    "TOKENS/S",
    "MEMORY",
    "SAME TOKENS",
    "SAME TOP",
    "KL MEAN",
    "KL MOST",
    "",
)


class Result(msgspec.Struct):
    """What one target did with one prompt."""

    prompt: str
    loaded: Loaded | None = None
    text: str = ""
    answer: Compared | None = None
    agreement: Agreement | None = None
    """None for the reference."""
    failure: str = ""

    @property
    def name(self) -> str:
        """Of the target, for people."""
        return f"{self.loaded.model} on {self.loaded.backend}" if self.loaded else "?"


class Comparison:
    """All results, in the order in which they began."""

    def __init__(self, prompts: tuple[str, ...]) -> None:
        """Begin.

        Args:
            prompts: as the server was asked.
        """
        self._prompts = prompts
        self._results: dict[tuple[int, int], Result] = {}

    def take(self, line: CompareLine) -> None:
        """Take the server's next line."""
        result = self._results.setdefault((line.prompt, line.target), Result(self._prompts[line.prompt]))
        result.loaded = line.loaded or result.loaded
        result.text += line.text
        result.answer = line.answer or result.answer
        result.agreement = line.agreement or result.agreement
        result.failure = line.failure or result.failure

    @property
    def results(self) -> list[Result]:
        """All of them."""
        return list(self._results.values())

    def by_prompt(self) -> Iterator[tuple[str, list[Result]]]:
        """Each prompt that was begun, with its results."""
        for number, prompt in enumerate(self._prompts):
            found = [result for (place, _), result in list(self._results.items()) if place == number]
            if found:
                yield prompt, found


def cells(result: Result) -> tuple[str, ...]:
    """A result as a line of a table under `HEAD`."""
    answer, agreement, loaded = result.answer, result.agreement, result.loaded
    memory = (answer.resident_memory or answer.model_memory) if answer else None
    return (
        loaded.model if loaded else "?",
        loaded.backend if loaded else "?",
        f"{answer.first_token / 1e6:.0f} ms" if answer else "",
        f"{answer.tokens_per_second:.1f}" if answer else "",
        human_bytes(memory) if memory else "",
        *_agreement(result.answer, agreement),
        result.failure or (agreement.note if agreement else ""),
    )


def _agreement(answer: Compared | None, agreement: Agreement | None) -> tuple[str, str, str, str]:
    if agreement is None or answer is None:
        return "", "", "", ""
    if agreement.same_tokens is None:
        return (f"{agreement.same_characters} characters", "", "", "")
    return (
        f"{agreement.same_tokens} of {answer.tokens}",
        "" if agreement.same_top is None else f"{100 * agreement.same_top:.0f} %",
        _nats(agreement, agreement.mean_divergence),
        _nats(agreement, agreement.most_divergence),
    )


def _nats(agreement: Agreement, divergence: float | None) -> str:
    if divergence is not None:
        return f"{divergence:.2g}"
    return "infinite" if agreement.positions else ""
