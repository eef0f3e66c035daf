"""Putting a word together from its smallest pieces: what BPE and SentencePiece have in common."""

import heapq
from collections.abc import Callable, Sequence

__all__ = ("Rank", "merge_pairs")

Rank = Callable[[bytes, bytes], float | None]
"""How early two neighbours are merged, the lowest first; None if never."""

_GONE = b""
"""In the place of a piece that was merged into the one before it."""


def merge_pairs(pieces: Sequence[bytes], rank: Rank) -> list[bytes]:
    """Merge neighbours until no pair has a rank; of equal ranks the leftmost first.

    The time grows with n log n, so that a text without any space is no danger.
    """
    texts = list(pieces)
    following = [*range(1, len(texts)), -1] if texts else []
    before = list(range(-1, len(texts) - 1))
    waiting: list[tuple[float, int, bytes, bytes]] = []

    def consider(left: int, right: int) -> None:
        if left < 0 or right < 0:
            return
        first, second = texts[left], texts[right]
        order = rank(first, second)
        if order is not None:
            heapq.heappush(waiting, (order, left, first, second))

    for place in range(len(texts) - 1):
        consider(place, place + 1)
    while waiting:
        _, left, first, second = heapq.heappop(waiting)
        right = following[left]
        if right < 0 or texts[left] != first or texts[right] != second:
            continue
        texts[left], texts[right] = first + second, _GONE
        following[left] = following[right]
        if following[left] >= 0:
            before[following[left]] = left
        consider(before[left], left)
        consider(left, following[left])
    return [text for text in texts if text != _GONE]
