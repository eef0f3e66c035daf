"""What the sequences occupy of the KV cache, a shared prefix counted once."""

__all__ = ("CellLedger",)


class _Span:
    """Cells `start` to `end` of every sequence below; spans form a tree, each sequence stands at a leaf of its own."""

    __slots__ = ("end", "parent", "start", "users")

    def __init__(self, parent: "_Span | None", start: int, end: int, users: int = 1) -> None:
        self.parent = parent
        self.start = start
        self.end = end
        self.users = users
        """Spans right below, or for a leaf its one sequence."""


class CellLedger:
    """Counts the cells of a `BatchDecoder`, whose sharing it mirrors operation by operation.

    Every operation costs a few steps of Python, however many tokens it concerns.
    """

    def __init__(self, capacity: int, sequences: int) -> None:
        self.capacity = capacity
        self.used = 0
        self._leaves = [_Span(None, 0, 0) for _ in range(sequences)]

    @property
    def free(self) -> int:
        """Cells that nobody occupies."""
        return self.capacity - self.used

    def length(self, sequence: int) -> int:
        """Tokens that the sequence holds."""
        return self._leaves[sequence].end

    def private(self, sequence: int) -> int:
        """Cells that this sequence alone holds: as many become free when it is forgotten."""
        leaf = self._leaves[sequence]
        _absorb(leaf)
        return leaf.end - leaf.start

    def grow(self, sequence: int, count: int) -> None:
        """The sequence got `count` more tokens."""
        self._leaves[sequence].end += count
        self.used += count

    def share(self, source: int, target: int, length: int) -> None:
        """The empty sequence `target` got the first `length` tokens of `source`."""
        self._leaves[target] = self._leaf_below(source, length)

    def trim(self, sequence: int, length: int) -> None:
        """Only the first `length` tokens of the sequence are left."""
        leaf = self._leaves[sequence]
        if length >= leaf.start:
            self.used -= leaf.end - length
            leaf.end = length
            return
        self._leaves[sequence] = self._leaf_below(sequence, length)
        self._release(leaf)

    def _leaf_below(self, sequence: int, length: int) -> _Span:
        """A new leaf after the first `length` tokens of a sequence; the span that ends there is split if need be."""
        span: _Span | None = self._leaves[sequence]
        while span is not None and span.start >= length:
            _absorb(span)
            span = span.parent if span.start >= length else span
        if span is None:
            return _Span(None, 0, 0)
        if span.end == length and span is not self._leaves[sequence]:
            span.users += 1
            return _Span(span, length, length)
        upper = _Span(span.parent, span.start, length, users=2)
        span.start, span.parent = length, upper
        return _Span(upper, length, length)

    def _release(self, span: _Span) -> None:
        """Free a leaf, and every span above it that nothing else stands on."""
        self.used -= span.end - span.start
        while span.parent is not None:
            span = span.parent
            span.users -= 1
            if span.users:
                return
            self.used -= span.end - span.start


def _absorb(span: _Span) -> None:
    """Take over the spans above that only this one stands on."""
    while span.parent is not None and span.parent.users == 1:
        span.start = span.parent.start
        span.parent = span.parent.parent
