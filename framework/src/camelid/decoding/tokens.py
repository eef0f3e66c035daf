"""Runs of token ids."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ("TokenArray", "begins_with", "common_prefix")

TokenArray: TypeAlias = npt.NDArray[np.int32]
"""int32, shape (any,): token ids; negative ones stand in place of media."""


def common_prefix(one: TokenArray, other: TokenArray) -> int:
    """How many tokens both begin with."""
    length = min(len(one), len(other))
    different = one[:length] != other[:length]
    first = int(different.argmax()) if length else 0
    return first if length and different[first] else length


def begins_with(tokens: TokenArray, beginning: TokenArray) -> bool:
    """Whether `tokens` are these and perhaps more."""
    return common_prefix(tokens, beginning) == len(beginning)
