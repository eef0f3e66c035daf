"""The kit's pytest plugin: `pytest_plugins = ["camelid.testing.plugin"]`."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing

import pytest

from camelid.contracts.placement import WorkerSpec
from camelid.plugins.host import PluginHost
from camelid.testing.backend import BackendSuite
from camelid.testing.host import HOSTS, Host
from camelid.testing.outcomes import NOT_RUN, REFUSED

__all__ = ("host", "worker")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--camelid-strict`."""
    parser.addoption("--camelid-strict", action="store_true", help="fail conformance cases that could not run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the expected failures of each suite, strictly."""
    for item in items:
        suite = getattr(item, "cls", None)
        if isinstance(item, pytest.Function) and isinstance(suite, type) and issubclass(suite, BackendSuite):
            reason = suite.expected_failures.get(item.originalname)
            if reason:
                item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.fixture(scope="class")
def _load(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Host]:
    suite = request.cls()
    assert isinstance(suite, BackendSuite)  # noqa: S101 - a mistake of the kit's user
    registered = PluginHost.load().catalog.backends[suite.backend]
    artifact = suite.make_artifact(tmp_path_factory.mktemp(suite.backend))
    spec = WorkerSpec(backend=suite.backend, plugin=registered.plugin, artifact=artifact, options=suite.options)
    return lambda place: Host(place, spec, registered.descriptor)


@pytest.fixture(scope="class", params=list(HOSTS))
def _each_place(request: pytest.FixtureRequest, _load: Callable[[str], Host]) -> Iterator[Host]:
    with closing(_load(request.param)) as host:
        yield host


@pytest.fixture(scope="class")
def _worker_place(_load: Callable[[str], Host]) -> Iterator[Host]:
    with closing(_load("worker")) as host:
        yield host


def _recorded(request: pytest.FixtureRequest, host: Host) -> Iterator[Host]:
    host.outcome = ""
    yield host
    if host.outcome:
        request.node.user_properties.append(("camelid", host.outcome))


@pytest.fixture
def host(request: pytest.FixtureRequest, _each_place: Host) -> Iterator[Host]:
    """The suite's model, loaded in each place in turn."""
    yield from _recorded(request, _each_place)


@pytest.fixture
def worker(request: pytest.FixtureRequest, _worker_place: Host) -> Iterator[Host]:
    """The suite's model in a worker, for cases that a process of its own has to survive."""
    yield from _recorded(request, _worker_place)


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many cases were refused or not run: a pass that proves less than it seems."""
    refused = [
        report.nodeid
        for report in terminalreporter.getreports("passed")
        if ("camelid", REFUSED) in report.user_properties
    ]
    if refused:
        terminalreporter.write_sep("-", f"{REFUSED}: {len(refused)} cases of undeclared capabilities")
        for nodeid in refused:
            terminalreporter.write_line(f"{REFUSED} {nodeid}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With `--camelid-strict`, a case that could not run is a failure."""
    report = yield
    if item.config.getoption("--camelid-strict") and report.skipped and NOT_RUN in str(report.longrepr):
        report.outcome = "failed"
    return report
