"""`camelid bench MODEL`: how fast a model is here, on each backend, and beside other servers."""

import asyncio
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from camelid.cli.connection import connect_or_embed
from camelid.cli.report_files import ReportFile
from camelid.errors import CamelidError
from camelid.types.json import JsonObject

if TYPE_CHECKING:
    from camelid.bench.rounds import Plan, Sample
    from camelid.bench.summary import Row
    from camelid.bench.target import Target

__all__ = ("command",)

_SCENARIOS: Final = ("distinct", "shared", "json", "embeddings", "cold")
_STREAMLESS: Final = frozenset({"embeddings", "cold"})
_HEAD: Final = ("LOAD", "SERVER", "FIGURE", "UNIT", "FIRST P50", "FIRST P95", "GAP P95", "MEMORY", "FIRST IS BETTER BY")


@click.command("bench")
@click.argument("model")
@click.option("--against", multiple=True, metavar="URL", help="Another server, of Ollama's or OpenAI's dialect.")
@click.option("--model-there", metavar="NAME", help="What the model is called on the other servers.")
@click.option("--backend", "backends", multiple=True, metavar="NAME", help="A backend to measure; several to compare.")
@click.option("--scenario", "scenarios", multiple=True, type=click.Choice(_SCENARIOS), help="Default: distinct.")
@click.option("--streams", default="1,4", show_default=True, help="Answers at once, with commas between them.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1, 100))
@click.option("--tokens", default=64, show_default=True, type=click.IntRange(1, 4096), help="Longest answer.")
@click.option("--json", "json_path", type=ReportFile(), help="Write all samples here.")
@click.option("--page", type=ReportFile(), help="Write a report with plots here.")
def command(
    *,
    model: str,
    against: tuple[str, ...],
    model_there: str | None,
    backends: tuple[str, ...],
    scenarios: tuple[str, ...],
    streams: str,
    rounds: int,
    tokens: int,
    json_path: Path | None,
    page: Path | None,
) -> None:
    """Measure a model's speed, here and beside other servers.

    Servers and backends take turns in every round. The last column says how many times better the first of them did
    than this one: the median of the rounds, and the least and the most.
    """
    from camelid.bench.rounds import Load, Plan

    counts = _streams(streams)
    wanted = scenarios or ("distinct",)
    loads = tuple(
        Load(scenario, count) for scenario in wanted for count in ((0,) if scenario in _STREAMLESS else counts)
    )
    plan = Plan(loads, rounds, tokens, seed=time.time_ns() % 1_000_000_000)
    with connect_or_embed() as client:
        here = [_Place("camelid", client.url, model)]
        if backends:
            here = [_Place(f"camelid/{name}", client.url, model, {"backend": name}) for name in backends]
        others = [_Place(url.partition("://")[2] or url, url, model_there or model) for url in against]
        samples = asyncio.run(_measure([*here, *others], plan))
    from camelid.bench.summary import summarise

    rows = summarise(samples)
    cells = [_cells(row) for row in rows]
    from camelid.cli.tables import columns

    click.echo(columns([_HEAD, *cells]), nl=False)
    if json_path is not None:
        json_path.write_text(json.dumps(_report(model, plan, samples, rows), indent=1) + "\n", encoding="utf-8")
    if page is not None:
        from camelid.bench.page import html_page, html_table
        from camelid.bench.plots import load_plots

        parts = [html_table(_HEAD, cells), *load_plots(rows)]
        page.write_text(html_page(f"camelid bench {model}", _facts(plan), parts), encoding="utf-8")


def _streams(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        counts = ()
    if not counts or min(counts) < 1:
        raise click.BadParameter("numbers from 1 on, with commas between them", param_hint="--streams")
    return counts


class _Place(NamedTuple):
    """A model on a server."""

    label: str
    url: str
    model: str
    options: JsonObject | None = None


async def _measure(places: Sequence[_Place], plan: "Plan") -> "list[Sample]":
    """All samples; a line on stderr for each says that something happens."""
    from camelid.bench.dialects import find_target
    from camelid.bench.rounds import run_rounds

    targets: list[Target] = []
    try:
        for place in places:
            targets.append(await find_target(*place))  # noqa: PERF401 - those that were found have to be closed
        samples = []
        async for sample in run_rounds(targets, plan):
            click.echo(f"{sample.load.title}: round {sample.round} of {plan.rounds}, {sample.target}", err=True)
            samples.append(sample)
    finally:
        for target in targets:
            await target.close()
    if not samples:
        raise CamelidError("nothing could be measured: these servers cannot do what the scenarios ask for")
    return samples


def _cells(row: "Row") -> tuple[str, ...]:
    ratio = row.ratio
    return (
        row.load.title,
        row.target,
        f"{row.figure:.3g}",
        row.unit,
        _milliseconds(row.first_p50),
        _milliseconds(row.first_p95),
        _milliseconds(row.gap_p95),
        "-" if row.memory is None else f"{row.memory / 1e6:.0f} MB",
        f"{ratio.median:.2f} ({ratio.least:.2f} to {ratio.most:.2f})" if ratio else "-",
    )


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.0f} ms"


def _facts(plan: "Plan") -> list[tuple[str, str]]:
    return [
        ("machine", f"{platform.platform()}, {platform.processor() or platform.machine()}"),
        ("measured", time.strftime("%Y-%m-%d %H:%M:%S %z")),
        ("rounds", str(plan.rounds)),
        ("longest answer", f"{plan.tokens} tokens"),
    ]


def _report(model: str, plan: "Plan", samples: "list[Sample]", rows: "list[Row]") -> object:
    import msgspec

    report: object = msgspec.to_builtins(
        {"model": model, "facts": dict(_facts(plan)), "plan": plan, "rows": rows, "samples": samples}
    )
    return report
