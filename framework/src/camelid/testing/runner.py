"""Runs the cases of a suite without pytest."""

import inspect
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from camelid.errors import CamelidError, WorkerDiedError
from camelid.plugins.host import PluginHost
from camelid.testing.backend import BackendSuite
from camelid.testing.host import HOSTS, Host
from camelid.testing.outcomes import Failed, NotRun, Outcome, Refused, needed, variants_of
from camelid.testing.report import Finding
from camelid.testing.testbed import Testbed
from camelid.types.capabilities import Capability

__all__ = ("declared_by", "proves", "run_suite", "told")

_EACH_PLACE: Final = "host"
"""The argument of cases that run in each place."""
_PLACES: Final = sorted(HOSTS, key=lambda place: place != "worker")
"""The worker first: what crashes there is not tried in this process, which would end without a report."""


def run_suite(suite: BackendSuite, plugins: PluginHost | None = None, *, only: str = "") -> Iterator[Finding]:
    """Run all cases, those of one place after those of another; each is told of as soon as it has ended.

    Args:
        suite: what is tested.
        plugins: what is installed; None to look.
        only: run the cases whose names hold this.
    """
    with tempfile.TemporaryDirectory(prefix="camelid-check-") as folder:
        models = Path(folder, "models")
        models.mkdir()
        with Testbed(suite, models, plugins) as testbed:
            runs = [_Run(testbed, suite, case, Path(folder)) for case in suite.cases() if only in case]
            for place in _PLACES:
                yield from _in_place(testbed, place, [run for run in runs if _EACH_PLACE in run.wants])
            for run in runs:
                if _EACH_PLACE not in run.wants:
                    yield from run()


def _in_place(testbed: Testbed, place: str, runs: "list[_Run]") -> Iterator[Finding]:
    crashed = [run for run in runs if run.crash]
    for run in crashed:
        yield run.ended(run.crash, place)
    runs = [run for run in runs if not run.crash]
    if not runs:
        return
    try:
        host = testbed.host(place)
    except Exception as error:  # noqa: BLE001 - each of these cases failed of it
        for run in runs:
            yield run.ended(error, place)
        return
    with closing(host):
        for run in runs:
            yield from run(host)


class _Run:
    """One case, and what it wants."""

    def __init__(self, testbed: Testbed, suite: BackendSuite, case: str, folder: Path) -> None:
        self._testbed = testbed
        self._suite = suite
        self._name = case
        self._folder = folder
        self._call: Callable[..., None] = getattr(suite, case)
        self._variants = variants_of(self._call)
        self.wants = set(inspect.signature(self._call).parameters)
        self.crash: WorkerDiedError | None = None
        """What it did to a worker."""

    def __call__(self, host: Host | None = None) -> Iterator[Finding]:
        """Run it, once for each of its variants."""
        place = host.place if host else ""
        name, values = self._variants or ("", ("",))
        for value in values:
            variant = "-".join(part for part in (place, str(value)) if part)
            given: dict[str, object] = {name: value} if name else {}
            if host:
                given[_EACH_PLACE] = host
            yield self._once(given, variant)

    def _once(self, given: dict[str, object], variant: str) -> Finding:
        declared: frozenset[Capability] = frozenset()
        with tempfile.TemporaryDirectory(dir=self._folder) as empty:
            try:
                for want in self.wants - given.keys():
                    given[want] = self._given(want, Path(empty))
                declared = declared_by(given.values())
                self._call(**given)
            except Exception as error:  # noqa: BLE001 - a case may fail of anything
                return self.ended(error, variant, declared)
        return self.ended(None, variant, declared)

    def _given(self, want: str, empty: Path) -> object:
        match want:
            case "tmp_path":
                return empty
            case "adapter":
                return self._testbed.adapter(empty)
        return getattr(self._testbed, want)

    def ended(self, error: Exception | None, variant: str, declared: frozenset[Capability] = frozenset()) -> Finding:
        """What became of it, given what it raised."""
        expected = self._suite.expected_failures.get(self._name, "")
        if isinstance(error, WorkerDiedError):
            self.crash = error
        match error:
            case NotRun():
                outcome, reason = Outcome.NOT_RUN, str(error)
            case None | Refused() if expected:
                outcome, reason = Outcome.FAILED, f"it passed, though it was expected to fail: {expected}"
            case None:
                outcome, reason = Outcome.PASSED, ""
            case Refused():
                outcome, reason = Outcome.REFUSED, ""
            case _ if expected:
                outcome, reason = Outcome.XFAILED, expected
            case _:
                outcome, reason = Outcome.FAILED, told(error)
        return Finding(
            suite=type(self._suite).__name__,
            backend=self._suite.backend,
            case=self._name,
            needs=needed(self._name),
            outcome=outcome,
            declared=declared,
            variant=variant,
            reason=reason,
        )


def declared_by(given: Iterable[object]) -> frozenset[Capability]:
    """What the loaded models among a case's arguments can do."""
    return frozenset(
        capability for value in given if isinstance(value, Host) for capability in value.facts.capabilities
    )


def told(error: Exception) -> str:
    """What a case failed of, as people read it: a kept promise's sentence as it is, other errors with their kind."""
    notes = getattr(error, "__notes__", ())
    sentence = (
        str(error)
        if isinstance(error, Failed | TimeoutError)
        else f"expected no error; came {type(error).__name__}: {error}"
    )
    if isinstance(error, CamelidError) and error.plugin:
        sentence = f"{sentence} (of {error.plugin})"
    return "\n".join((sentence, *notes))


def proves(case: str) -> str:
    """What a case proves and where to look if it fails: its docstring."""
    return inspect.getdoc(getattr(BackendSuite, case)) or ""
