"""`camelid compare MODEL... [PROMPT...]`: as fast, as large, the same answers?"""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from camelid.cli.connection import connect_or_embed
from camelid.cli.messages import CompareBody
from camelid.cli.report_files import ReportFile
from camelid.errors import CamelidError, ModelNotFoundError

if TYPE_CHECKING:
    from camelid.cli.compare.results import Comparison

__all__ = ("command",)

_PROMPT = "Why is the sky blue?"


@click.command("compare")
@click.argument("words", nargs=-1, required=True, metavar="MODEL... [PROMPT...]")
@click.option("--backends", metavar="A,B,C", help="Ask each model on each of these.")
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="A prompt, also one without a space.")
@click.option("--tokens", default=64, show_default=True, type=click.IntRange(1, 1024), help="Longest answer.")
@click.option(
    "--json",
    "json_path",
    type=ReportFile(allow_dash=True),
    help="Write all of it here.",
)
@click.option("--page", type=ReportFile(), help="Write a report with plots here.")
def command(
    *,
    words: tuple[str, ...],
    backends: str | None,
    prompts: tuple[str, ...],
    tokens: int,
    json_path: Path | None,
    page: Path | None,
) -> None:
    """Ask models and backends the same, and see whether they agree.

    A word with a space in it is a PROMPT, for no model's name has one. Answers are greedy and come one after the
    other. SAME TOKENS tells how far an answer is that of the first in the table; along the first one's answer, SAME TOP
    tells how often both models' most likely token is the same, and KL how far their probabilities are apart, in nats.
    A file of - is stdout, in place of the table.
    """
    from camelid.cli.compare.results import Comparison

    asked = CompareBody(
        models=tuple(word for word in words if " " not in word),
        backends=tuple(name.strip() for name in backends.split(",")) if backends else (),
        prompts=(*(word for word in words if " " in word), *prompts) or (_PROMPT,),
        tokens=tokens,
    )
    comparison = Comparison(asked.prompts)
    to_stdout = json_path == Path("-")
    _compare(asked, comparison, quiet=to_stdout)
    if json_path is not None:
        report = json.dumps(_report(comparison), indent=1)
        if to_stdout:
            click.echo(report)
        else:
            json_path.write_text(report + "\n", encoding="utf-8")
    if page is not None:
        from camelid.cli.compare.page import comparison_page

        page.write_text(comparison_page(comparison), encoding="utf-8")
    failures = [f"{result.name}: {result.failure}" for result in comparison.results if result.failure]
    if failures:
        raise CamelidError("; ".join(failures))


def _compare(asked: CompareBody, comparison: "Comparison", *, quiet: bool) -> None:
    from camelid.cli.compare.display import ComparisonDisplay

    display = ComparisonDisplay(comparison)
    with connect_or_embed() as client, nullcontext() if quiet else display:
        try:
            for line in client.compare(asked):
                comparison.take(line)
        except ModelNotFoundError as error:
            if len(asked.models) == 1:
                raise
            raise ModelNotFoundError(
                f"{error.message}; if that is a prompt, say --prompt", reason=error.reason
            ) from error


def _report(comparison: "Comparison") -> object:
    import msgspec

    report: object = msgspec.to_builtins({"results": comparison.results})
    return report
