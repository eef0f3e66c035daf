"""A comparison as an HTML page."""

import platform
import time
from collections.abc import Sequence

from camelid.bench.page import html_heading, html_page, html_table
from camelid.bench.plots import Bar, bars, lines
from camelid.cli.compare.results import HEAD, Comparison, Result, cells

__all__ = ("comparison_page",)


def comparison_page(comparison: Comparison) -> str:
    """Figures, answers and plots for each prompt."""
    found = comparison.results
    runtimes = dict.fromkeys(f"{each.name}: {each.loaded.runtime}" for each in found if each.loaded)
    facts = [
        ("machine", f"{platform.platform()}, {platform.processor() or platform.machine()}"),
        ("compared", time.strftime("%Y-%m-%d %H:%M:%S %z")),
        ("runtimes", "; ".join(runtimes)),
        ("reference", "the first that answered; KL is the Kullback-Leibler divergence from it in nats for each token"),
    ]
    parts = [part for prompt, results in comparison.by_prompt() for part in _parts(prompt, results)]
    return html_page("camelid compare", facts, parts)


def _parts(prompt: str, results: Sequence[Result]) -> list[str]:
    parts = [
        html_heading(prompt),
        html_table(HEAD, map(cells, results)),
        html_table([result.name for result in results], [[result.text for result in results]], texts=True),
    ]
    answered = [(result.name, result.answer) for result in results if result.answer]
    if answered:
        parts += [
            bars("First token: ms", [Bar(name, answer.first_token / 1e6) for name, answer in answered]),
            bars("Tokens/s", [Bar(name, answer.tokens_per_second) for name, answer in answered]),
        ]
    weighed = [Bar(name, answer.resident_memory / 1e6) for name, answer in answered if answer.resident_memory]
    if weighed:
        parts.append(bars("Memory: MB", weighed))
    divergences = {
        result.name: [position.divergence for position in result.agreement.positions]
        for result in results
        if result.agreement and result.agreement.positions
    }
    if divergences:
        parts.append(lines("KL divergence along the reference's answer: nats", divergences))
    return parts
