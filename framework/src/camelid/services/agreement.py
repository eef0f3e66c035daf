"""Whether two answers are the same, and whether the models behind them would have been likely to give them."""

import math
from collections.abc import Sequence
from statistics import fmean

from camelid.engine.client import WorkerClient
from camelid.services.comparison import Agreement, Position
from camelid.services.scoring import Greedy, Reference, Scored, score
from camelid.types.capabilities import Capability
from camelid.types.generation import TokenLogprob

__all__ = ("agreement_with", "scored_agreement")


async def agreement_with(reference: Reference, client: WorkerClient, greedy: Greedy, tenant: str) -> Agreement:
    """How far an answer agrees with the reference: the texts always, tokens and probabilities where both models have
    the same vocabulary and their backends give probabilities.

    Args:
        reference: to compare with.
        client: the other model.
        greedy: its own answer.
        tenant: as it was asked for.

    Raises:
        CamelidError: the worker failed.
    """
    facts = client.ready.facts
    if not reference.fingerprint:
        return _of_texts(reference, greedy, "the reference's backend gives no probabilities: only texts are compared")
    if Capability.SCORING not in facts.capabilities:
        return _of_texts(reference, greedy, f"{client.ready.backend} gives no probabilities: only texts are compared")
    same_size = facts.vocabulary_size == reference.vocabulary_size
    if not same_size or await client.fingerprint() != reference.fingerprint:
        return _of_texts(reference, greedy, "the vocabularies differ: only texts are compared")
    return scored_agreement(reference, greedy, await score(client, reference, tenant))


def scored_agreement(reference: Reference, greedy: Greedy, scored: Scored) -> Agreement:
    """How far two answers in the same vocabulary agree.

    Args:
        reference: the one.
        greedy: the other.
        scored: what the other's model thinks of the reference.
    """
    logprobs = zip(scored.logprobs, reference.scored.logprobs, scored.divergences, strict=True)
    positions = tuple(
        Position(
            text=here.text.decode("utf-8", "replace"),
            logprob=here.logprob,
            reference_logprob=there.logprob,
            same_top=_top(here) == _top(there),
            divergence=divergence if math.isfinite(divergence) else None,
        )
        for here, there, divergence in logprobs
    )
    finite = bool(positions) and all(map(math.isfinite, scored.divergences))
    return Agreement(
        same_text=greedy.text == reference.greedy.text,
        same_characters=_shared(greedy.text, reference.greedy.text),
        same_tokens=_shared(greedy.answer, reference.greedy.answer),
        positions=positions,
        same_top=fmean(position.same_top for position in positions) if positions else None,
        mean_divergence=fmean(scored.divergences) if finite else None,
        most_divergence=max(scored.divergences) if finite else None,
    )


def _of_texts(reference: Reference, greedy: Greedy, note: str) -> Agreement:
    there, here = reference.greedy.text, greedy.text
    return Agreement(same_text=here == there, same_characters=_shared(here, there), note=note)


def _shared(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items two sequences have in common from their beginnings on."""
    length = min(len(one), len(other))
    return next((place for place in range(length) if one[place] != other[place]), length)


def _top(entry: TokenLogprob) -> int:
    return entry.top[0].token if entry.top else entry.token
