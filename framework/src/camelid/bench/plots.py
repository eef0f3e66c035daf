"""Plots as SVG within HTML: bars with a dot for each measurement, and lines."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final

import msgspec

from camelid.bench.summary import Row

__all__ = ("Bar", "bars", "lines", "load_plots")

_WIDTH: Final = 560
_BAR: Final = 22
_LEFT: Final = 150
_NAME: Final = 22
"""Characters of a bar's name that fit."""
_HEIGHT: Final = 160
_EDGE: Final = 50
_COLOURS: Final = ("#4a7fb5", "#d9822b", "#3d9970", "#b5485d", "#8661c1", "#7a7a7a")


class Bar(msgspec.Struct, frozen=True):
    """One bar."""

    name: str
    figure: float
    dots: tuple[float, ...] = ()
    """The measurements that the figure was made of."""


def load_plots(rows: Sequence[Row]) -> list[str]:
    """For each load a bar for each server's median, and a dot for each round."""
    plots = []
    for load in dict.fromkeys(row.load for row in rows):
        own = [row for row in rows if row.load == load]
        plots.append(bars(f"{load.title}: {own[0].unit}", [Bar(row.target, row.figure, row.figures) for row in own]))
    return plots


def bars(title: str, drawn: Sequence[Bar]) -> str:
    """A heading and its bars."""
    scale = (_WIDTH - _LEFT - 70) / (max(max((bar.figure, *bar.dots)) for bar in drawn) or 1)
    marks = []
    for place, bar in enumerate(drawn):
        top = 6 + place * (_BAR + 10)
        middle = top + _BAR / 2
        marks.append(
            f'<text x="0" y="{middle + 5:.0f}">{escape(bar.name[:_NAME])}</text>'
            f'<rect x="{_LEFT}" y="{top}" width="{bar.figure * scale:.1f}" height="{_BAR}" fill="{_COLOURS[0]}"/>'
            f'<text x="{_LEFT + bar.figure * scale + 6:.0f}" y="{middle + 5:.0f}">{bar.figure:.3g}</text>'
        )
        marks += [
            f'<circle cx="{_LEFT + dot * scale:.1f}" cy="{middle:.0f}" r="3" fill="{_COLOURS[1]}"/>' for dot in bar.dots
        ]
    return _plot(title, 12 + len(drawn) * (_BAR + 10), marks)


def lines(title: str, series: Mapping[str, Sequence[float | None]]) -> str:
    """A heading, a line for each name through its values from 0 up, and the names; the line passes over None."""
    known = [value for values in series.values() for value in values if value is not None]
    most = max(known, default=0.0) or 1.0
    across = (_WIDTH - _EDGE) / max(1, *(len(values) - 1 for values in series.values()))
    marks = [
        f'<text x="0" y="16">{most:.3g}</text><text x="0" y="{_HEIGHT}">0</text>',
        f'<line x1="{_EDGE}" y1="{_HEIGHT}" x2="{_WIDTH}" y2="{_HEIGHT}" stroke="#999"/>',
    ]
    for place, (name, values) in enumerate(series.items()):
        colour = _COLOURS[place % len(_COLOURS)]
        points = [
            f"{_EDGE + across * index:.1f} {_HEIGHT - value / most * (_HEIGHT - 10):.1f}"
            for index, value in enumerate(values)
            if value is not None
        ]
        marks.append(
            f'<path d="M{"L".join(points)}" fill="none" stroke="{colour}" stroke-width="1.5"/>' if points else ""
        )
        marks.append(f'<text x="{_EDGE}" y="{_HEIGHT + 20 * (place + 1)}" fill="{colour}">{escape(name)}</text>')
    return _plot(title, _HEIGHT + 20 * len(series) + 10, marks)


def _plot(title: str, height: int, marks: Iterable[str]) -> str:
    return (
        f"<h3>{escape(title)}</h3>"
        f'<svg width="{_WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">{"".join(marks)}</svg>'
    )
