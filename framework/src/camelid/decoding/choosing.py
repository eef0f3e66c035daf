"""Choosing what follows from the logits of a batch: freely, as a grammar wants it, along a draft, or as was said."""

from collections.abc import Callable
from collections.abc import Sequence as Many
from typing import TYPE_CHECKING

from camelid.contracts.engine import EngineRequest, LogProbabilities
from camelid.contracts.generation import BatchDecoder, Logits
from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.logprobs import log_probabilities, token_logprob
from camelid.decoding.sampling import LogitsSampler, resolve_seed
from camelid.decoding.sequence import Sequence
from camelid.types.generation import TokenLogprob

if TYPE_CHECKING:
    from camelid.decoding.constraint import Constraint

__all__ = ("Chooser",)


class Chooser:
    """Chooses the next tokens of sequences, and remembers each one's sampler."""

    def __init__(self, decoder: BatchDecoder, tokenizer: Tokenizer, context_length: int) -> None:
        """Bind.

        Args:
            decoder: gives logits, and native samplers if it has some.
            tokenizer: tells which tokens end an answer.
            context_length: tokens that one request may hold.
        """
        self._decoder = decoder
        self._end_tokens = tokenizer.end_tokens
        self._token_bytes = tokenizer.token_bytes
        self._context = context_length

    def choose(self, sequence: Sequence, row: int) -> tuple[Many[int], bool]:
        """The tokens that follow, without an end token, and whether they are the last.

        Args:
            sequence: one that has logits; with a draft, for each of its tokens as well.
            row: the first of its output rows.
        """
        if sequence.request.forced:
            return sequence.request.forced[sequence.generated : sequence.generated + 1], False
        if sequence.constraint is not None:
            return self._guided(sequence, sequence.constraint, row)
        sampler = sequence.sampler
        if sampler is None:
            request = sequence.request
            sampling = request.sampling
            native = None
            if not sampling.logit_bias:  # few want that, so no backend has to know of it
                native = self._decoder.sampler(sampling, resolve_seed(sampling.seed), _text_tokens(request))
            sampler = sequence.sampler = native or self._logits_sampler(request, self._decoder.logits)
        tokens: list[int] = []
        for guess in (*sequence.draft.tolist(), None):
            token = sampler.sample(row + len(tokens))
            if token in self._end_tokens:
                return tokens, True
            tokens.append(token)
            if token != guess:
                break
        return tokens, False

    def logprobs(self, request: EngineRequest, tokens: Many[int], row: int) -> Many[TokenLogprob]:
        """The log-probabilities of tokens that were chosen from the rows from `row` on; none if nobody wants them."""
        if not request.logprobs:
            return ()
        return [
            token_logprob(self._decoder.logits(place), token, request.top_logprobs, self._token_bytes)
            for place, token in enumerate(tokens, row)
        ]

    def distributions(self, request: EngineRequest, tokens: Many[int], row: int) -> Many[LogProbabilities]:
        """What the model thought of the whole vocabulary in each token's place; none if nobody wants to know."""
        if not request.distributions:
            return ()
        return [log_probabilities(self._decoder.logits(place)) for place in range(row, row + len(tokens))]

    def _guided(self, sequence: Sequence, constraint: "Constraint", row: int) -> tuple[Many[int], bool]:
        """What the grammar allows, and what it leaves no choice about."""
        request, guided = sequence.request, sequence.guided
        if guided is None:
            guided = sequence.guided = self._logits_sampler(request, constraint.restricted(self._decoder.logits))
        # With log-probabilities each token needs logits of its own.
        return constraint.choose(guided, row, 1 if request.logprobs else max(1, sequence.room))

    def _logits_sampler(self, request: EngineRequest, logits: Callable[[int], Logits]) -> LogitsSampler:
        sampling = request.sampling
        return LogitsSampler(logits, sampling, resolve_seed(sampling.seed), _text_tokens(request), self._context)


def _text_tokens(request: EngineRequest) -> Many[int]:
    """The prompt without what stands in place of media, which no penalty may look back on."""
    return [token for token in request.prompt if token >= 0] if request.media else request.prompt
