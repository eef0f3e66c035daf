"""The report as one HTML page that needs nothing else: a table, and a plot for each load."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from camelid.bench.rounds import Load
from camelid.bench.summary import Row

__all__ = ("html_page",)

_WIDTH: Final = 560
_BAR: Final = 22
_LEFT: Final = 150
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #ddd}"
    "th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}"
    "svg{display:block;margin:.5rem 0 1.5rem}text{font:13px system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th,td{border-color:#444}text{fill:#ddd}}"
)


def html_page(
    title: str,
    facts: Sequence[tuple[str, str]],
    head: Sequence[str],
    rows: Sequence[Row],
    cells: Iterable[Sequence[str]],
) -> str:
    """The page.

    Args:
        title: of the report.
        facts: what was measured where: names and values.
        head: titles of the table's columns.
        rows: what to plot.
        cells: the table's lines, as the terminal shows them.
    """
    listed = "".join(f"<li><b>{escape(name)}</b>: {escape(value)}</li>" for name, value in facts)
    table = _line("th", head) + "".join(_line("td", line) for line in cells)
    loads = list(dict.fromkeys(row.load for row in rows))
    plots = "".join(_plot(load, [row for row in rows if row.load == load]) for load in loads)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1><ul>{listed}</ul><table>{table}</table>{plots}</html>\n"
    )


def _line(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _plot(load: Load, rows: Sequence[Row]) -> str:
    """A bar for each server's median, and a dot for each round."""
    most = max(max(row.figures) for row in rows) or 1
    scale = (_WIDTH - _LEFT - 70) / most
    marks = []
    for place, row in enumerate(rows):
        top = 6 + place * (_BAR + 10)
        middle = top + _BAR / 2
        marks.append(
            f'<text x="0" y="{middle + 5:.0f}">{escape(row.target[:22])}</text>'
            f'<rect x="{_LEFT}" y="{top}" width="{row.figure * scale:.1f}" height="{_BAR}" fill="#4a7fb5"/>'
            f'<text x="{_LEFT + row.figure * scale + 6:.0f}" y="{middle + 5:.0f}">{row.figure:.3g}</text>'
        )
        marks += [
            f'<circle cx="{_LEFT + figure * scale:.1f}" cy="{middle:.0f}" r="3" fill="#d9822b"/>'
            for figure in row.figures
        ]
    height = 12 + len(rows) * (_BAR + 10)
    title = f"{load.title}: {rows[0].unit}"
    return (
        f"<h2>{escape(title)}</h2>"
        f'<svg width="{_WIDTH}" height="{height}" role="img" aria-label="{escape(title)}">{"".join(marks)}</svg>'
    )
