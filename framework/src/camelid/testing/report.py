"""What the kit found out of backends, as a file: the support matrix is made of it."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from camelid.testing.outcomes import Outcome
from camelid.types.capabilities import Capability

__all__ = ("Finding", "KitReport", "SuiteReport", "verdicts")


class Finding(msgspec.Struct, frozen=True):
    """How one case went, in one place."""

    suite: str
    """Name of the suite's class."""
    backend: str
    case: str
    needs: Capability | None
    """What the case exercises; None for what every backend must do."""
    outcome: Outcome
    declared: frozenset[Capability] = frozenset()
    """What the loaded model can do, with what the framework adds."""
    variant: str = ""
    """The place where it ran, and what was given to it, if there are several."""
    reason: str = ""
    """Why it failed, or did not run."""

    @property
    def title(self) -> str:
        """The case and its variant, as pytest writes them."""
        return f"{self.case}[{self.variant}]" if self.variant else self.case


def verdicts(findings: Iterable[Finding]) -> tuple[tuple[Capability, ...], tuple[Capability, ...]]:
    """The capabilities of which every case passed, and those of which one failed."""
    outcomes: dict[Capability, set[Outcome]] = {}
    for found in findings:
        if found.needs is not None:
            outcomes.setdefault(found.needs, set()).add(found.outcome)
    verified = tuple(sorted(capability for capability, came in outcomes.items() if came == {Outcome.PASSED}))
    failed = tuple(sorted(capability for capability, came in outcomes.items() if Outcome.FAILED in came))
    return verified, failed


class SuiteReport(msgspec.Struct):
    """A backend with the models of one suite."""

    suite: str
    backend: str
    declared: list[Capability] = []
    """What one or another of these models can do."""
    outcomes: dict[str, str] = {}
    """Of every case that ran; with commas, if there were different ones in the places where it ran."""
    reasons: dict[str, str] = {}
    """Of the cases that failed, expectedly or not, or did not run: why."""

    def cases_with(self, outcome: Outcome) -> list[str]:
        """The cases that ended so in at least one place."""
        return [case for case, outcomes in self.outcomes.items() if outcome in outcomes.split(", ")]


class KitReport(msgspec.Struct):
    """All suites of a run, by backend and name. Two runs with the same outcomes are the same file."""

    cases: dict[str, Capability | None] = {}
    """What each exercises."""
    suites: list[SuiteReport] = []

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "KitReport":
        """Put findings together."""
        cases: dict[str, Capability | None] = {}
        suites: dict[tuple[str, str], SuiteReport] = {}
        for found in sorted(findings, key=lambda found: (found.backend, found.suite, found.case, found.outcome)):
            suite = suites.setdefault((found.backend, found.suite), SuiteReport(found.suite, found.backend))
            suite.declared = sorted(found.declared.union(suite.declared))
            known = suite.outcomes.get(found.case, found.outcome.value)
            suite.outcomes[found.case] = known if found.outcome in known.split(", ") else f"{known}, {found.outcome}"
            if found.reason:
                suite.reasons.setdefault(found.case, found.reason)
            cases[found.case] = found.needs
        return cls(dict(sorted(cases.items())), list(suites.values()))

    @classmethod
    def read(cls, path: Path) -> "KitReport":
        """What `write` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

    def write(self, path: Path) -> None:
        """As JSON with a line for each value, so that changes can be read."""
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
