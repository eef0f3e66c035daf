"""Columns without borders, as `list` and `ps` print them (contract 19.2)."""

from collections.abc import Sequence

__all__ = ("columns",)

_GAP = "    "


def columns(rows: Sequence[Sequence[str]], *, indent: str = "") -> str:
    """Rows with left-aligned columns four spaces apart, each line ended by a newline; `""` without rows.

    Args:
        rows: all of the same length; the heading, if any, is the first.
        indent: put before every line.
    """
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "".join(
        indent + _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n"
        for row in rows
    )
