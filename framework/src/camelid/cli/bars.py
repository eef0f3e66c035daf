"""One line of progress, with a bar where its end is known, as text (contract 19.6)."""

from collections import deque
from typing import Final, NamedTuple

from camelid.cli.sizes import human_bytes
from camelid.cli.times import remaining_time

__all__ = ("ASCII", "BLOCKS", "Rate", "Strokes", "bar_line", "count_line")

_RATE_SECONDS: Final = 5.0


class Strokes(NamedTuple):
    """What a bar is drawn with."""

    left: str
    full: str
    right: str


BLOCKS: Final = Strokes("▕", "█", "▏")
ASCII: Final = Strokes("[", "#", "]")
"""For code pages without block elements."""


class Rate:
    """Bytes a second over the last five seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def add(self, moment: float, completed: int) -> None:
        """Note that `completed` bytes were there at `moment`, in seconds of any clock that never goes back."""
        self._samples.append((moment, completed))
        while len(self._samples) > 2 and moment - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()

    def bytes_per_second(self) -> float:
        """0 as long as nothing can be said."""
        if not self._samples:
            return 0.0
        (first, before), (last, after) = self._samples[0], self._samples[-1]
        return (after - before) / (last - first) if last > first else 0.0


def bar_line(message: str, completed: int, total: int, rate: float, *, width: int, strokes: Strokes = BLOCKS) -> str:
    """`pulling 6a0746a1ec1a:  45% ▕████      ▏ 2.1 GB/4.7 GB   50 MB/s     52s`, `width` columns at most.

    A finished bar shows only the total. A line too narrow for a bar shows none, and leaves out whole figures from the
    end rather than half of one.

    Args:
        message: what goes on.
        completed: bytes.
        total: bytes, more than 0.
        rate: bytes a second; 0 if not known yet.
        width: columns of the terminal.
        strokes: what to draw with.
    """
    completed = min(completed, total)
    head = f"{message}: {100 * completed // total:3d}%"
    if completed == total:
        figures = [human_bytes(total)]
    else:
        figures = [f"{human_bytes(completed)}/{human_bytes(total)}"]
        if rate > 0:
            figures += [f"{human_bytes(rate):>6}/s", f"{remaining_time((total - completed) / rate):>6}"]
    tail = "  ".join(figures)
    cells = width - len(head) - len(tail) - 4
    if cells < 1:
        return _without_bar(head, figures, width)
    filled = cells * completed // total
    return f"{head} {strokes.left}{strokes.full * filled}{' ' * (cells - filled)}{strokes.right} {tail}"


def count_line(message: str, completed: int, rate: float, *, width: int) -> str:
    """`pulling 6a0746a1ec1a: 2.1 GB   50 MB/s`, of what nobody knows the end of; the arguments as for `bar_line`."""
    speed = f"  {human_bytes(rate):>6}/s" if rate > 0 else ""
    return f"{message}: {human_bytes(completed)}{speed}"[:width]


def _without_bar(head: str, figures: list[str], width: int) -> str:
    line = head[:width]
    for figure in figures:
        longer = f"{line} {figure.strip()}"
        if len(longer) > width:
            break
        line = longer
    return line
