"""Role three: generation, in the first two of its three tiers; the third is `camelid.contracts.engine`.

An author picks the highest tier the runtime supports. The framework lifts a `Decoder` to a `BatchDecoder` of one
sequence and a `BatchDecoder` to an `Engine`; sampling, constraints, log-probabilities, stop strings, queueing,
fairness and cancellation come with it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from camelid.contracts.batch import Batch, BatchLimits, TokenRun
from camelid.contracts.engine import Engine
from camelid.contracts.media import Media
from camelid.contracts.sampler import Sampler
from camelid.errors import ModelMemoryError, UnsupportedCapabilityError
from camelid.types.options import SamplingOptions

__all__ = ("BatchDecoder", "Decoder", "Generator", "KVCacheFullError", "Logits")

Logits: TypeAlias = npt.NDArray[np.float32]
"""float32, shape (vocabulary_size,): unnormalised log-probabilities of the next token."""


class KVCacheFullError(ModelMemoryError):
    """`BatchDecoder.decode` found no room. Nothing was computed; the scheduler frees cells and tries again."""


class Decoder(ABC):
    """Tier one: a single sequence. All methods run on the engine thread."""

    @property
    @abstractmethod
    def context_length(self) -> int:
        """Tokens the sequence may hold."""

    @abstractmethod
    def feed(self, tokens: Sequence[int]) -> Logits:
        """Append tokens to the sequence.

        Returns:
            The logits after the last of them; the framework copies what it keeps.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget the sequence."""

    def trim(self, length: int) -> bool:  # noqa: ARG002 - the default has no use for it
        """Keep only the first `length` tokens. False if the runtime cannot: the framework then feeds them anew."""
        return False

    def close(self) -> None:  # noqa: B027 - most decoders own nothing of their own
        """Give native memory back. Called once."""


class BatchDecoder(ABC):
    """Tier two: many sequences over a shared KV cache. All methods run on the engine thread."""

    @property
    @abstractmethod
    def limits(self) -> BatchLimits:
        """What fits."""

    @abstractmethod
    def decode(self, batch: Batch) -> None:
        """Compute a batch; logits of its output rows stay valid until the next call.

        Raises:
            KVCacheFullError: no room; the cache is as it was before.
        """

    def decode_media(self, sequence: int, position: int, media: Media) -> None:  # noqa: ARG002
        """Compute a piece of media, all of it, as the tokens from `position` on of a sequence that ends there.

        Args:
            sequence: whose.
            position: tokens that the sequence holds, each piece of media counted by its `length`.
            media: from this plugin's media tokenizer.

        Raises:
            KVCacheFullError: no room; the cache is as it was before.
            UnsupportedCapabilityError: unless the backend declares `VISION` or `AUDIO`.
        """
        raise UnsupportedCapabilityError("this backend cannot take pictures or sound")

    @abstractmethod
    def logits(self, row: int) -> Logits:
        """The logits of an output row of the last batch. A view: copy it to keep it."""

    @abstractmethod
    def trim(self, sequence: int, length: int) -> bool:
        """Keep only the first `length` tokens of a sequence; 0 forgets it.

        Returns:
            False if the cache cannot drop a tail (recurrent or sliding-window models, or a piece of media would be
            cut); then nothing changed. With `length` 0 it must succeed.
        """

    def copy_prefix(self, source: int, target: int, length: int) -> bool:  # noqa: ARG002
        """Give the empty sequence `target` the first `length` tokens of `source`, which may still be running.

        Returns:
            False if the cache cannot share, or a piece of media would be cut (the framework computes them again).
        """
        return False

    def shift(self, sequence: int, keep: int, discard: int) -> bool:  # noqa: ARG002
        """Drop `discard` tokens after the first `keep` and move the rest down.

        Never asked for while another sequence shares a token that would be moved.

        Returns:
            False if positions cannot be moved; the framework then computes the rest again.
        """
        return False

    def guess(self, sequence: int, tokens: TokenRun, most: int) -> Sequence[int]:  # noqa: ARG002
        """Tokens that may follow, from a smaller model that was loaded with this one.

        Asked between two batches, where few sequences generate; what is guessed is verified in the next one, so a
        wrong guess costs time and nothing else.

        Args:
            sequence: whose; most often it goes on from where it was at the last call.
            tokens: all that the sequence consists of, none of them media.
            most: how many may be given, at least 1.

        Returns:
            As many as the smaller model is sure of; none if there is no such model.
        """
        return ()

    def sampler(self, options: SamplingOptions, seed: int, prompt: Sequence[int]) -> Sampler | None:  # noqa: ARG002
        """A native sampler for one sequence, or None to let the framework sample from logits.

        Not asked for where the framework has to see the logits anyway: answers in a format, and with `logit_bias`.

        Args:
            options: what the request asked for.
            seed: 32 bits; equal seeds give equal tokens.
            prompt: the prompt's tokens, for penalties.
        """
        return None

    def save(self, sequence: int) -> bytes:  # noqa: ARG002
        """The sequence's KV cache as bytes that `restore` understands.

        Raises:
            UnsupportedCapabilityError: unless the backend declares `STATE_SAVE`.
        """
        raise UnsupportedCapabilityError("this backend cannot save the state of a sequence")

    def restore(self, sequence: int, state: bytes) -> None:  # noqa: ARG002
        """Fill an empty sequence from what `save` gave; it may have lain on a disk since, and be damaged.

        Raises:
            ModelError: these bytes are no state of this model; the sequence stays empty.
            UnsupportedCapabilityError: unless the backend declares `STATE_SAVE`.
        """
        raise UnsupportedCapabilityError("this backend cannot restore the state of a sequence")

    def close(self) -> None:  # noqa: B027 - some decoders own nothing of their own
        """Give native memory back. Called once."""


Generator: TypeAlias = Decoder | BatchDecoder | Engine
"""What `camelid_generator` may return: one of the three tiers."""
