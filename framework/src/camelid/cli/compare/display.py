"""The table of a comparison, painted again as answers grow."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from camelid.cli.compare.results import HEAD, Comparison, Result, cells
from camelid.cli.tables import columns

__all__ = ("ComparisonDisplay",)

_REFRESHES_PER_SECOND: Final = 8


class ComparisonDisplay:
    """A context in which a comparison is seen to grow; where stdout is no terminal, it is printed once at the end."""

    def __init__(self, comparison: Comparison, console: Console | None = None) -> None:
        """Show `comparison`, whatever it will have taken."""
        self._comparison = comparison
        self._console = console or Console(highlight=False)
        self._live = Live(
            get_renderable=self._render,
            console=self._console,
            refresh_per_second=_REFRESHES_PER_SECOND,
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
        if self._console.is_terminal:
            self._live.stop()
        elif error is None:
            self._console.file.write(_plain(self._comparison))

    def _render(self) -> RenderableType:
        # Lines come in on the main thread while this runs on the display's: the comparison hands out copies.
        return Group(*(part for prompt, results in self._comparison.by_prompt() for part in _painted(prompt, results)))


def _painted(prompt: str, results: list[Result]) -> tuple[RenderableType, ...]:
    figures = Table(box=None, pad_edge=False)
    for title in HEAD:
        figures.add_column(title, overflow="fold")
    for result in results:
        figures.add_row(*map(Text, cells(result)))
    texts = Table(expand=True)
    for result in results:
        texts.add_column(Text(result.name), ratio=1, overflow="fold")
    texts.add_row(*(Text(result.text) for result in results))
    return Text(prompt, style="bold"), figures, texts


def _plain(comparison: Comparison) -> str:
    parts = []
    for prompt, results in comparison.by_prompt():
        parts.append(f"{prompt}\n\n{columns([HEAD, *map(cells, results)])}")
        parts += [f"{result.name}:\n{result.text}\n" for result in results]
    return "\n".join(parts)
