"""The kit's pytest plugin: `pytest_plugins = ["camelid.testing.plugin"]`."""

import inspect
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from camelid.contracts.placement import WorkerSpec
from camelid.errors import CamelidError, WorkerDiedError
from camelid.plugins.catalog import RegisteredBackend
from camelid.plugins.host import PluginHost
from camelid.plugins.record import PluginStatus
from camelid.testing.backend import BackendSuite
from camelid.testing.host import HOSTS, Host
from camelid.testing.outcomes import NOT_RUN, REFUSED, needed
from camelid.testing.parts import Parts, opened
from camelid.testing.report import Finding, KitReport
from camelid.testing.suite.generating import PROMPT, greedy

__all__ = ("adapter", "host", "parts", "seer", "worker")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--camelid-strict` and `--camelid-report`."""
    parser.addoption("--camelid-strict", action="store_true", help="fail conformance cases that could not run")
    parser.addoption("--camelid-report", type=Path, metavar="FILE", help="write what was found of each backend as JSON")


_FINDINGS = pytest.StashKey[list[Finding]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin without findings."""
    config.stash[_FINDINGS] = []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the expected failures of each suite, strictly."""
    for item in items:
        suite = _suite(item)
        reason = suite.expected_failures.get(getattr(item, "originalname", "")) if suite else None
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


def _suite(item: pytest.Item) -> type[BackendSuite] | None:
    """The suite that a test is a case of."""
    suite = getattr(item, "cls", None)
    return suite if isinstance(suite, type) and issubclass(suite, BackendSuite) else None


@pytest.fixture(scope="class")
def _suite_object(request: pytest.FixtureRequest) -> BackendSuite:
    if not isinstance(getattr(request.cls, "backend", None), str):
        pytest.fail(
            f'{request.cls.__name__} does not say what it tests: backend = "name in the descriptor"', pytrace=False
        )
    suite = request.cls()
    assert isinstance(suite, BackendSuite)  # noqa: S101 - only suites ask for the kit's fixtures
    return suite


@pytest.fixture(scope="class")
def _plugins() -> PluginHost:
    return PluginHost.load()


@pytest.fixture(scope="class")
def _registered(_suite_object: BackendSuite, _plugins: PluginHost) -> RegisteredBackend:
    found = _plugins.catalog.backends.get(_suite_object.backend)
    if found is not None:
        return found
    broken = (
        f"\nthe plugin {record.name!r} of {record.distribution} is broken: {record.reason}"
        for record in _plugins.records
        if record.status is PluginStatus.BROKEN
    )
    pytest.fail(
        f"no installed plugin registers the backend {_suite_object.backend!r}; "
        f"there are: {', '.join(sorted(_plugins.catalog.backends)) or 'none'}{''.join(broken)}",
        pytrace=False,
    )


@pytest.fixture(scope="class")
def _spec(
    _suite_object: BackendSuite,
    _registered: RegisteredBackend,
    _plugins: PluginHost,
    tmp_path_factory: pytest.TempPathFactory,
) -> WorkerSpec:
    return WorkerSpec(
        backend=_suite_object.backend,
        plugin=_registered.plugin,
        artifact=_suite_object.make_artifact(tmp_path_factory.mktemp(_suite_object.backend)),
        options=_suite_object.options,
        tokenizers=_plugins.catalog.tokenizers,
    )


@pytest.fixture(scope="class", params=list(HOSTS))
def _each_place(
    request: pytest.FixtureRequest, _suite_object: BackendSuite, _spec: WorkerSpec, _registered: RegisteredBackend
) -> Iterator[Host]:
    with closing(Host(request.param, _spec, _registered.descriptor, _suite_object.patience)) as host:
        yield host


@pytest.fixture(scope="class")
def _worker_place(_suite_object: BackendSuite, _spec: WorkerSpec, _registered: RegisteredBackend) -> Iterator[Host]:
    with closing(Host("worker", _spec, _registered.descriptor, _suite_object.patience)) as host:
        yield host


@pytest.fixture
def host(_each_place: Host) -> Host:
    """The suite's model, loaded in each place in turn."""
    _each_place.refused = False
    return _each_place


@pytest.fixture
def worker(_worker_place: Host) -> Host:
    """The suite's model in a worker, for cases that a process of its own has to survive."""
    _worker_place.refused = False
    return _worker_place


@pytest.fixture(scope="class")
def _seeing_place(
    _suite_object: BackendSuite,
    _worker_place: Host,
    _registered: RegisteredBackend,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Host]:
    artifact = _suite_object.make_seeing_artifact(tmp_path_factory.mktemp("seeing"))
    if artifact is None:
        yield _worker_place
        return
    spec = msgspec.structs.replace(_worker_place.spec, artifact=artifact)
    with closing(Host("worker", spec, _registered.descriptor, _suite_object.patience)) as host:
        yield host


@pytest.fixture
def seer(_seeing_place: Host) -> Host:
    """The suite's model that is shown pictures, in a worker; the suite's only model if it has none for that."""
    _seeing_place.refused = False
    return _seeing_place


@pytest.fixture
def adapter(_suite_object: BackendSuite, tmp_path: Path) -> Path | None:
    """The suite's adapter for its model, if it has one."""
    return _suite_object.make_adapter(tmp_path)


@pytest.fixture(scope="class")
def parts(_worker_place: Host, _spec: WorkerSpec) -> Iterator[Parts]:
    """The suite's model in this process, with nothing of the framework around it.

    A worker is asked first: a backend that crashes or hangs does it there, where it takes nothing along.
    """
    try:
        _worker_place.answer(greedy(PROMPT, tokens=1))
    except WorkerDiedError:
        raise
    except CamelidError:
        pass  # an error is no crash; the cases will tell what is wrong
    with opened(_spec) as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what was refused, tell what a failed case proves, and with `--camelid-strict` fail what could not run."""
    report = yield
    hosts = [value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Host)]
    if report.when == "call" and report.passed and any(host.refused for host in hosts):
        report.user_properties.append(("camelid", REFUSED))
    if report.when == "teardown":
        for host in hosts:
            host.refused = False  # not every case's fixtures begin anew
    if item.config.getoption("--camelid-strict") and report.skipped and NOT_RUN in str(report.longrepr):
        report.outcome = "failed"
        report.longrepr = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    suite = _suite(item)
    if suite and hosts and (report.when == "call" or report.skipped or report.failed):
        item.config.stash[_FINDINGS].append(_finding(item, suite, hosts[0], report))
    if report.failed and suite and isinstance(item, pytest.Function):
        report.sections.append(("What this case proves", inspect.getdoc(item.function) or ""))
    return report


def _finding(item: pytest.Item, suite: type[BackendSuite], host: Host, report: pytest.TestReport) -> Finding:
    """What a case tells of its backend."""
    case = getattr(item, "originalname", item.name)
    outcome: str = report.outcome
    if ("camelid", REFUSED) in report.user_properties:
        outcome = REFUSED.lower()
    elif report.skipped:
        outcome = "xfailed" if hasattr(report, "wasxfail") else NOT_RUN.lower()
    return Finding(suite.__name__, suite.backend, case, needed(case), outcome, host.facts.capabilities)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report, if one was asked for."""
    path: Path | None = session.config.getoption("--camelid-report")
    findings = session.config.stash[_FINDINGS]
    if path is not None:
        KitReport.of(findings).write(path)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count what was refused apart from what passed: a pass that proves less than it seems."""
    refused = report.when == "call" and report.passed and ("camelid", REFUSED) in report.user_properties
    return (REFUSED.lower(), "R", REFUSED) if refused else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the cases that were refused."""
    for report in terminalreporter.getreports(REFUSED.lower()):
        terminalreporter.write_line(f"{REFUSED} {report.nodeid}")
