"""Log-probabilities of a chosen token and of its rivals (contract 3.6)."""

from collections.abc import Callable
from typing import Final

import numpy as np

from camelid.contracts.engine import LogProbabilities
from camelid.contracts.generation import Logits
from camelid.decoding.sampling import top_tokens
from camelid.types.generation import TokenAlternative, TokenLogprob

__all__ = ("MOST_ALTERNATIVES", "log_probabilities", "token_logprob")

MOST_ALTERNATIVES: Final = 20


def log_probabilities(logits: Logits) -> LogProbabilities:
    """What the model itself thought of every token: before penalties, temperature and cuts. A copy.

    Args:
        logits: shape (vocabulary_size,).
    """
    found: LogProbabilities = logits - np.float32(_normaliser(logits))
    return np.minimum(found, 0, out=found)


def token_logprob(logits: Logits, token: int, alternatives: int, token_bytes: Callable[[int], bytes]) -> TokenLogprob:
    """What the model itself thought of `token`: before penalties, temperature and cuts.

    Args:
        logits: shape (vocabulary_size,).
        token: the one that was chosen.
        alternatives: how many of the most likely tokens to name; more than 20 count as 20.
        token_bytes: `Tokenizer.token_bytes`.
    """
    normaliser = _normaliser(logits)
    count = min(alternatives, MOST_ALTERNATIVES, len(logits))
    top = top_tokens(logits, count).tolist() if count > 0 else []
    return TokenLogprob(
        token=token,
        logprob=min(0.0, float(logits[token]) - normaliser),
        text=token_bytes(token),
        top=tuple(
            TokenAlternative(token=other, logprob=min(0.0, float(logits[other]) - normaliser), text=token_bytes(other))
            for other in top
        ),
    )


def _normaliser(logits: Logits) -> float:
    """The logarithm of the sum of what the logits are logarithms of."""
    largest = logits.max()
    return float(largest) + float(np.log(np.exp(logits - largest).sum(dtype=np.float64)))
