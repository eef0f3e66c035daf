"""A backend's generator, driven by hand: tokens go in, logits come out."""

import time
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from camelid.contracts.batch import Batch, BatchLimits
from camelid.contracts.engine import Engine, EngineEvent
from camelid.contracts.generation import BatchDecoder, Decoder, Logits
from camelid.decoding.lift import lift
from camelid.decoding.single import SingleSequence
from camelid.errors import UnsupportedCapabilityError
from camelid.testing.outcomes import check, not_run
from camelid.testing.parts import Parts
from camelid.testing.suite.generating import PROMPT

__all__ = ("Drive", "check_same_logits", "engine_of", "prompt_of", "steps_of")

_TOLERANCE = 0.05
"""Of the largest logit: kernels round otherwise in batches of other sizes."""

_PATIENCE = 60.0
"""Seconds for an engine to finish a few short answers."""


class Drive:
    """Remembers how far each sequence is, as a scheduler would. Made for one case; begins with an empty cache."""

    def __init__(self, decoder: BatchDecoder) -> None:
        self.decoder = decoder
        self.lengths = [0] * decoder.limits.sequences
        self.forget()

    @classmethod
    def of(cls, parts: Parts) -> "Drive | None":
        """Of a model's generator; None if it has none that shows logits."""
        generator = parts.generator
        if isinstance(generator, Decoder):
            return cls(SingleSequence(generator))
        return cls(generator) if isinstance(generator, BatchDecoder) else None

    @classmethod
    def of_several(cls, parts: Parts) -> "Drive":
        """Of a generator with more than one sequence.

        Raises:
            NotRun: the suite loads the model for one.
            UnsupportedCapabilityError: it has one, or shows none.
        """
        if not isinstance(parts.generator, BatchDecoder):
            raise UnsupportedCapabilityError("the generator is no BatchDecoder")
        drive = cls(parts.generator)
        if len(drive.lengths) > 1:
            return drive
        if parts.spec.options.parallel < 2:
            not_run("the suite's options allow one sequence only: raise `parallel`")
        raise UnsupportedCapabilityError("the generator has one sequence only")

    @property
    def limits(self) -> BatchLimits:
        """What fits."""
        return self.decoder.limits

    def forget(self) -> None:
        """Begin anew."""
        for sequence in range(len(self.lengths)):
            check(self.decoder.trim(sequence, 0), "that `trim` to no tokens always works", False)
            self.lengths[sequence] = 0

    def feed(self, sequence: int, tokens: Sequence[int]) -> Logits:
        """Append tokens to one sequence, in as many batches as it takes; the logits after the last."""
        size = self.limits.batch_tokens
        *before, last = (tokens[start : start + size] for start in range(0, len(tokens), size))
        for part in before:
            self.feed_together({sequence: part})
        return self.feed_together({sequence: last})[sequence]

    def go_on(self, prompt: Sequence[int]) -> tuple[int, Logits]:
        """Append tokens to sequence 0, and then the likeliest next one; that one, and the logits after it."""
        token = int(self.feed(0, prompt).argmax())
        return token, self.feed(0, [token])

    def feed_together(self, runs: Mapping[int, Sequence[int]]) -> dict[int, Logits]:
        """Append tokens to several sequences in one batch; copies of the logits after each."""
        batch = Batch(self.limits.batch_tokens)
        rows = {
            sequence: batch.add(sequence, tokens, self.lengths[sequence], output=True)
            for sequence, tokens in runs.items()
        }
        self.decoder.decode(batch)
        for sequence, tokens in runs.items():
            self.lengths[sequence] += len(tokens)
        return {sequence: self.decoder.logits(row).copy() for sequence, row in rows.items()}

    def trim(self, sequence: int, length: int) -> bool:
        """As `BatchDecoder.trim`."""
        done = self.decoder.trim(sequence, length)
        if done:
            self.lengths[sequence] = length
        return done


def engine_of(parts: Parts) -> Engine:
    """A model's generator with an empty cache, as an engine that computes step by step; it must not be closed.

    Raises:
        UnsupportedCapabilityError: there is none.
    """
    if parts.generator is None:
        raise UnsupportedCapabilityError("the model cannot generate")
    Drive.of(parts)
    return lift(parts.generator, parts.tokenizer, draft_tokens=0)


def steps_of(engine: Engine) -> Iterator[list[EngineEvent]]:
    """What an engine brings, step after step, until it is at rest.

    Raises:
        TimeoutError: it never is.
    """
    deadline = time.monotonic() + _PATIENCE
    while engine.busy:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the engine was still busy after {_PATIENCE:g} s")
        yield engine.step()


def prompt_of(parts: Parts, text: str = PROMPT) -> list[int]:
    """The tokens of a prompt."""
    return list(parts.tokenizer.encode(text, add_special=True, parse_special=True))


def check_same_logits(came: Logits, expected: Logits, when: str) -> None:
    """Fail unless logits are the same but for rounding."""
    __tracebackhide__ = True
    same = np.allclose(came, expected, rtol=_TOLERANCE, atol=_TOLERANCE * float(np.abs(expected).max()))
    check(same, f"the same logits {when}", f"up to {np.abs(came - expected).max():g} more or less")
