"""Several deltas of one request as one: for readers that are slow, and for frames that would only cost wake-ups."""

from collections.abc import Sequence

from camelid.wire.messages import Delta

__all__ = ("merge",)


def merge(deltas: Sequence[Delta]) -> Delta:
    """Join successive deltas: texts and what is known of tokens in order, tokens added, the end as the last one has it.

    Args:
        deltas: of one request, in order, not empty; only the last may end it.
    """
    last = deltas[-1]
    if len(deltas) == 1:
        return last
    return Delta(
        id=last.id,
        text="".join(delta.text for delta in deltas),
        tokens=sum(delta.tokens for delta in deltas),
        finish=last.finish,
        timings=last.timings,
        logprobs=tuple(logprob for delta in deltas for logprob in delta.logprobs),
        context=last.context,
        fault=last.fault,
        stop=last.stop,
        distributions=b"".join(delta.distributions for delta in deltas),
        divergences=tuple(divergence for delta in deltas for divergence in delta.divergences),
    )
