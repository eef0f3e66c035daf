"""`camelid journal [--days N] [--json]`."""

import click
import msgspec

from camelid_journal.journal import Journal, Usage

__all__ = ("journal",)

_HEAD = ("MODEL", "BACKEND", "REQUESTS", "NOT FINISHED", "PROMPT", "CACHED", "GENERATED", "TOKENS/S", "LOADS", "DEATHS")


@click.command("journal")
@click.option("--days", type=float, default=0, metavar="N", help="Look back so many days; all by default.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, for programs.")
def journal(*, days: float, as_json: bool) -> None:
    """Show what each model was used for, as the journal has it."""
    usage = Journal().usage(days)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(usage), indent=2))
        return
    lines = [_HEAD, *(_cells(row) for row in usage)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cells(row: Usage) -> tuple[str, ...]:
    values = msgspec.structs.astuple(row)
    return tuple(f"{value:.1f}" if isinstance(value, float) else str(value) for value in values)
