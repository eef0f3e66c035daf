"""Showing on stderr how far the server is (contract 19.6)."""

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from camelid.cli.bars import ASCII, BLOCKS, Rate, bar_line, count_line
from camelid.cli.messages import ProgressLine

__all__ = ("ProgressDisplay", "show_progress")

_REFRESHES_PER_SECOND: Final = 10


class _Step:
    """One status, or one blob."""

    def __init__(self, status: str) -> None:
        self.status = status
        self.completed = 0
        self.total = 0
        self.rate = Rate()
        self.spinner = Spinner("dots", Text(status))


class ProgressDisplay:
    """A context in which `show` paints statuses and bars; where stderr is no terminal, one plain line each."""

    def __init__(self, *, transient: bool = False, console: Console | None = None) -> None:
        """`transient` wipes the display away at the end."""
        self._console = console or Console(stderr=True, highlight=False)
        self._steps: dict[str, _Step] = {}
        self._current = ""
        self._finished = False
        encoding = self._console.encoding or "ascii"
        self._strokes = BLOCKS if _can_encode("".join(BLOCKS) + "⠋", encoding) else ASCII
        self._transient = transient
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=transient,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._finished = True
        if self._console.is_terminal:
            self._live.stop()

    def show(self, line: ProgressLine) -> None:
        """Take the next line of the server. Lines of one digest share one bar."""
        if line.digest and not line.completed and line.digest not in self._steps:
            return
        key = line.digest or line.status
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = _Step(line.status)
            if not self._console.is_terminal and not self._transient:
                self._console.print(line.status, soft_wrap=True, markup=False)
        self._current = key
        if line.total or line.completed:
            step.total, step.completed = line.total, line.completed
            step.rate.add(time.monotonic(), line.completed)

    def status(self, text: str) -> None:
        """Show a status of our own."""
        self.show(ProgressLine(status=text))

    def _render(self) -> RenderableType:
        # The server's lines come in on the main thread while this runs on the display's: a copy keeps them apart.
        return Group(*(self._line(key, step) for key, step in list(self._steps.items())))

    def _line(self, key: str, step: _Step) -> RenderableType:
        if step.total:
            text = bar_line(
                step.status,
                step.completed,
                step.total,
                step.rate.bytes_per_second(),
                width=self._console.width,
                strokes=self._strokes,
            )
            return Text(text, no_wrap=True, overflow="crop")
        if step.completed:
            text = count_line(step.status, step.completed, step.rate.bytes_per_second(), width=self._console.width)
            return Text(text, no_wrap=True, overflow="crop")
        if key == self._current and not self._finished and self._strokes is BLOCKS:
            return step.spinner
        return Text(step.status, no_wrap=True, overflow="ellipsis")


def show_progress(lines: Iterable[ProgressLine]) -> None:
    """Paint a whole stream of the server, and leave the display standing."""
    with ProgressDisplay() as display:
        for line in lines:
            display.show(line)


def _can_encode(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
