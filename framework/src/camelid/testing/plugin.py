"""The kit's pytest plugin: `pytest_plugins = ["camelid.testing.plugin"]`."""

import inspect
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from camelid.testing.backend import BackendSuite
from camelid.testing.host import HOSTS, Host
from camelid.testing.outcomes import NotRun, Outcome, Refused, needed, variants_of
from camelid.testing.parts import Parts
from camelid.testing.report import Finding, KitReport
from camelid.testing.runner import declared_by, told
from camelid.testing.testbed import Testbed

__all__ = ("adapter", "hearer", "host", "parts", "seer", "worker")

_NOT_RUN: Final = "NOT RUN"
_REFUSED: Final = pytest.StashKey[bool]()
_FINDINGS: Final = pytest.StashKey[list[Finding]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--camelid-strict` and `--camelid-report`."""
    parser.addoption("--camelid-strict", action="store_true", help="fail conformance cases that could not run")
    parser.addoption("--camelid-report", type=Path, metavar="FILE", help="write what was found of each backend as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Begin without findings."""
    config.stash[_FINDINGS] = []


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a case once for each of its variants."""
    found = variants_of(metafunc.function)
    if found:
        metafunc.parametrize(*found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the expected failures of each suite, strictly."""
    for item in items:
        suite = _suite(item)
        reason = suite.expected_failures.get(_case(item)) if suite else None
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _suite(item: pytest.Item) -> type[BackendSuite] | None:
    """The suite that a test is a case of."""
    suite = getattr(item, "cls", None)
    return suite if isinstance(suite, type) and issubclass(suite, BackendSuite) else None


def _case(item: pytest.Item) -> str:
    return str(getattr(item, "originalname", item.name))


@pytest.fixture(scope="class")
def _testbed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    with Testbed(request.cls(), tmp_path_factory.mktemp("models")) as testbed:
        yield testbed


@pytest.fixture(scope="class", params=list(HOSTS))
def host(request: pytest.FixtureRequest, _testbed: Testbed) -> Iterator[Host]:
    """The suite's model, loaded in each place in turn."""
    with closing(_testbed.host(request.param)) as loaded:
        yield loaded


@pytest.fixture
def worker(_testbed: Testbed) -> Host:
    """The suite's model in a worker, for cases that a process of its own has to survive."""
    return _testbed.worker


@pytest.fixture
def seer(_testbed: Testbed) -> Host:
    """The suite's model that is shown pictures, in a worker; the suite's only model if it has none for that."""
    return _testbed.seer


@pytest.fixture
def hearer(_testbed: Testbed) -> Host:
    """The suite's model that is played sounds, in a worker; the suite's only model if it has none for that."""
    return _testbed.hearer


@pytest.fixture
def parts(_testbed: Testbed) -> Parts:
    """The suite's model in this process, with nothing of the framework around it."""
    return _testbed.parts


@pytest.fixture
def adapter(_testbed: Testbed, tmp_path: Path) -> Path | None:
    """The suite's adapter for its model, if it has one."""
    return _testbed.adapter(tmp_path)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Skip what has no model, as pytest says it."""
    __tracebackhide__ = True
    with _as_pytest(item):
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Let a case that was refused pass, and one that had nothing to run on be skipped."""
    __tracebackhide__ = True
    with _as_pytest(item):
        yield


@contextmanager
def _as_pytest(item: pytest.Item) -> Iterator[None]:
    """The two outcomes of the kit that pytest does not know, as those that it knows."""
    __tracebackhide__ = True
    try:
        yield
    except Refused:
        item.stash[_REFUSED] = True
    except NotRun as error:
        pytest.skip(f"{_NOT_RUN}: {error}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what was refused, tell what a failed case proves, and with `--camelid-strict` fail what could not run."""
    report = yield
    suite = _suite(item)
    refused = report.when == "call" and report.passed and item.stash.get(_REFUSED, False)
    if refused:
        report.user_properties.append(("camelid", Outcome.REFUSED.value))
    if suite and (report.when == "call" or report.skipped or report.failed):
        item.config.stash[_FINDINGS].append(_finding(item, suite, report, call))
    if item.config.getoption("--camelid-strict") and report.skipped and _NOT_RUN in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    if report.failed and suite and isinstance(item, pytest.Function):
        report.sections.append(("What this case proves", inspect.getdoc(item.function) or ""))
    return report


def _finding(
    item: pytest.Item, suite: type[BackendSuite], report: pytest.TestReport, call: pytest.CallInfo[None]
) -> Finding:
    """What a case tells of its backend."""
    outcome, reason = Outcome(report.outcome) if not report.skipped else Outcome.NOT_RUN, ""
    if _was_refused(report):
        outcome = Outcome.REFUSED
    elif hasattr(report, "wasxfail"):
        outcome, reason = Outcome.XFAILED, report.wasxfail
    elif call.excinfo is not None and isinstance(call.excinfo.value, Exception):
        reason = told(call.excinfo.value)
    elif report.failed:
        reason = str(report.longrepr)
    case, backend = _case(item), getattr(suite, "backend", "")
    variant = item.name.removeprefix(case).strip("[]")
    declared = declared_by(getattr(item, "funcargs", {}).values())
    return Finding(suite.__name__, backend, case, needed(case), outcome, declared, variant, reason)


def _was_refused(report: pytest.TestReport) -> bool:
    return ("camelid", Outcome.REFUSED.value) in report.user_properties


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, if one was asked for."""
    path: Path | None = session.config.getoption("--camelid-report")
    findings = session.config.stash[_FINDINGS]
    if path is not None:
        KitReport.of(findings).write(path)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count what was refused apart from what passed: a pass that proves less than it seems."""
    refused = report.when == "call" and report.passed and _was_refused(report)
    return (Outcome.REFUSED.value, "R", Outcome.REFUSED.name) if refused else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the cases that were refused."""
    for report in terminalreporter.getreports(Outcome.REFUSED.value):
        terminalreporter.write_line(f"{Outcome.REFUSED.name} {report.nodeid}")
