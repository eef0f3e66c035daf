"""From samples to figures: medians, percentiles, and ratios with their spread."""

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from camelid.bench.measuring import Measured
from camelid.bench.rounds import Load, Sample

__all__ = ("Ratio", "Row", "percentile", "summarise")

_UNITS = {
    "distinct": "tokens/s",
    "shared": "s in all",
    "json": "objects/s",
    "embeddings": "texts/s",
    "cold": "s to first token",
}
_LESS_IS_MORE = frozenset({"shared", "cold"})


class Ratio(msgspec.Struct, frozen=True):
    """How many times better the first server did: above 1 it was the faster one."""

    median: float
    least: float
    most: float


class Row(msgspec.Struct, frozen=True):
    """One server under one load."""

    load: Load
    target: str
    unit: str
    figure: float
    """Median over the rounds."""
    figures: tuple[float, ...]
    first_p50: float | None = None
    """Seconds until the first text, over all answers."""
    first_p95: float | None = None
    gap_p95: float | None = None
    """Seconds between pieces of text."""
    memory: int | None = None
    """Largest resident size seen, in bytes."""
    ratio: Ratio | None = None
    """Of the first server to this one, round by round; None for the first itself."""


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` (0 to 1) of all lie, by the nearest rank; None without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def summarise(samples: Iterable[Sample]) -> list[Row]:
    """A row for each load and server, in the order in which they were first measured."""
    groups: dict[Load, dict[str, list[Sample]]] = {}
    for sample in samples:
        groups.setdefault(sample.load, {}).setdefault(sample.target, []).append(sample)
    return [
        _row(load, target, found, next(iter(targets.values())))
        for load, targets in groups.items()
        for target, found in targets.items()
    ]


def _row(load: Load, target: str, samples: list[Sample], reference: list[Sample]) -> Row:
    figures = {sample.round: _figure(load, sample.measured) for sample in samples}
    measured = [sample.measured for sample in samples]
    first = [seconds for each in measured for seconds in each.first]
    gaps = [seconds for each in measured for seconds in each.gaps]
    return Row(
        load=load,
        target=target,
        unit=_UNITS[load.scenario],
        figure=median(figures.values()),
        figures=tuple(figures.values()),
        first_p50=percentile(first, 0.5),
        first_p95=percentile(first, 0.95),
        gap_p95=percentile(gaps, 0.95),
        memory=max((sample.memory for sample in samples if sample.memory), default=None),
        ratio=None if samples is reference else _ratio(load, figures, reference),
    )


def _figure(load: Load, measured: Measured) -> float:
    if load.scenario == "distinct":
        return measured.tokens / measured.seconds
    if load.scenario in _LESS_IS_MORE:
        return measured.first[0] if load.scenario == "cold" else measured.seconds
    return measured.answers / measured.seconds


def _ratio(load: Load, figures: dict[int, float], reference: list[Sample]) -> Ratio | None:
    """Compared only with the same round, which met the same machine."""
    firsts = {sample.round: _figure(load, sample.measured) for sample in reference}
    pairs = [(figure, firsts[number]) for number, figure in figures.items() if number in firsts]
    ratios = [
        (figure / first if load.scenario in _LESS_IS_MORE else first / figure)
        for figure, first in pairs
        if figure and first
    ]
    return Ratio(median(ratios), min(ratios), max(ratios)) if ratios else None
