"""A report as one HTML page that needs nothing else: facts, tables, plots."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

__all__ = ("html_heading", "html_page", "html_table")

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:right;border-bottom:1px solid #ddd}"
    "th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}"
    "table.texts td,table.texts th{text-align:left;vertical-align:top;white-space:pre-wrap;overflow-wrap:anywhere}"
    "svg{display:block;margin:.5rem 0 1.5rem}text{font:13px system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){body{background:#181818;color:#ddd}th,td{border-color:#444}text{fill:#ddd}}"
)


def html_page(title: str, facts: Sequence[tuple[str, str]], parts: Iterable[str]) -> str:
    """The page.

    Args:
        title: of the report.
        facts: what was measured where: names and values.
        parts: HTML, of `html_table` and `camelid.bench.plots`.
    """
    listed = "".join(f"<li><b>{escape(name)}</b>: {escape(value)}</li>" for name, value in facts)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1><ul>{listed}</ul>{''.join(parts)}</html>\n"
    )


def html_heading(text: str) -> str:
    """Above what belongs together."""
    return f"<h2>{escape(text)}</h2>"


def html_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, texts: bool = False) -> str:
    """A table; `texts`: of running text, whose lines stay as they are."""
    lines = _line("th", head) + "".join(_line("td", row) for row in rows)
    return f"<table{' class=texts' if texts else ''}>{lines}</table>"


def _line(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
