"""Runs the cases of a suite without pytest."""

import inspect
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

from camelid.errors import CamelidError
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


def run_suite(
    suite: BackendSuite,
    plugins: PluginHost | None = None,
    *,
    only: str = "",
    skip: Collection[str] = (),
    begin: Callable[[Finding], None] | None = None,
) -> Iterator[Finding]:
    """Run all cases, those of one place after those of another; each is told of as soon as it has ended.

    Args:
        suite: what is tested.
        plugins: what is installed; None to look.
        only: run the cases whose names hold this.
        skip: titles of findings that are there already.
        begin: hears of each case before anything is done for it, as a finding that has failed.
    """
    with tempfile.TemporaryDirectory(prefix="camelid-check-") as folder:
        models = Path(folder, "models")
        models.mkdir()
        with Testbed(suite, models, plugins) as testbed:
            cases = [_Case(testbed, suite, case, Path(folder)) for case in suite.cases() if only in case]
            for place in (*HOSTS, ""):
                runs = [run for case in cases for run in case.runs(place)]
                yield from _in_place(testbed, place, [run for run in runs if run.title not in skip], begin)


def _in_place(
    testbed: Testbed, place: str, runs: "list[_Run]", begin: Callable[[Finding], None] | None
) -> Iterator[Finding]:
    """Run cases on a model that is loaded for the first of them, and again after one that it died of.

    Without a place, they run on what each of them asks for.
    """
    with ExitStack() as stack:
        host: Host | None = None
        failed: Exception | None = None
        for run in runs:
            if begin is not None:
                begin(run.ended(Failed()))
            if place and failed is None and not (host and host.client.alive):
                stack.close()
                try:
                    host = stack.enter_context(closing(testbed.host(place)))
                except Exception as error:  # noqa: BLE001 - each of these cases failed of it
                    failed = error
            yield run.ended(failed) if failed else run({_EACH_PLACE: host} if host else {})


class _Case:
    """One case, and what it wants."""

    def __init__(self, testbed: Testbed, suite: BackendSuite, name: str, folder: Path) -> None:
        self.testbed = testbed
        self.suite = suite
        self.name = name
        self.folder = folder
        self.call: Callable[..., None] = getattr(suite, name)
        self.wants = set(inspect.signature(self.call).parameters)

    def runs(self, place: str) -> "list[_Run]":
        """What is to be run of it in a place; empty stands for cases that run once, wherever that is."""
        if bool(place) != (_EACH_PLACE in self.wants):
            return []
        name, values = variants_of(self.call) or ("", ("",))
        return [
            _Run(self, "-".join(part for part in (place, str(value)) if part), {name: value} if name else {})
            for value in values
        ]

    def given(self, want: str, empty: Path) -> object:
        """What it wants of the testbed."""
        match want:
            case "tmp_path":
                return empty
            case "adapter":
                return self.testbed.adapter(empty)
        return getattr(self.testbed, want)


class _Run:
    """A case in one place, with one of its variants."""

    def __init__(self, case: _Case, variant: str, given: dict[str, object]) -> None:
        self._case = case
        self._variant = variant
        self._given = given

    @property
    def title(self) -> str:
        """As the finding's."""
        return self.ended(None).title

    def __call__(self, given: Mapping[str, object]) -> Finding:
        """Run it with what its place has."""
        case = self._case
        arguments = {**self._given, **given}
        declared: frozenset[Capability] = frozenset()
        with tempfile.TemporaryDirectory(dir=case.folder) as empty:
            try:
                for want in case.wants - arguments.keys():
                    arguments[want] = case.given(want, Path(empty))
                declared = declared_by(arguments.values())
                case.call(**arguments)
            except Exception as error:  # noqa: BLE001 - a case may fail of anything
                return self.ended(error, declared)
        return self.ended(None, declared)

    def ended(self, error: Exception | None, declared: frozenset[Capability] = frozenset()) -> Finding:
        """What became of it, given what it raised."""
        suite, name = self._case.suite, self._case.name
        expected = suite.expected_failures.get(name, "")
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
            suite=type(suite).__name__,
            backend=getattr(suite, "backend", ""),
            case=name,
            needs=needed(name),
            outcome=outcome,
            declared=declared,
            variant=self._variant,
            reason=reason,
        )


def declared_by(given: Iterable[object]) -> frozenset[Capability]:
    """What the loaded models among a case's arguments can do."""
    return frozenset(
        capability for value in given if isinstance(value, Host) for capability in value.facts.capabilities
    )


def told(error: Exception) -> str:
    """What a case failed of, as people read it: a kept promise's sentence as it is, other errors with their kind."""
    notes = list(getattr(error, "__notes__", ()))
    if isinstance(error, CamelidError) and error.reason and not notes:
        notes.append(f"reason: {error.reason}")
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
