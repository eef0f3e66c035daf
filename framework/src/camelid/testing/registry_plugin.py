"""The registry kit's pytest plugin: `pytest_plugins = ["camelid.testing.registry_plugin"]`."""

import inspect
from collections.abc import Generator, Sequence
from typing import Final

import pytest

from camelid.errors import CamelidError
from camelid.testing.loopback import Request
from camelid.testing.registry import LocalRegistrySuite
from camelid.testing.registry_source import ModelSource

__all__ = ()

_REFUSED: Final = "camelid registry refused"
_LATEST: Final = 20
"""Requests that are shown."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what was refused; tell what a failed case proves, the reason of an error, and what the server was asked."""
    report = yield
    suite = getattr(item, "cls", None)
    if not (isinstance(suite, type) and issubclass(suite, LocalRegistrySuite) and isinstance(item, pytest.Function)):
        return report
    source = item.funcargs.get("source")
    if report.failed:
        report.sections.append(("What this case proves", inspect.getdoc(item.function) or ""))
        error = call.excinfo.value if call.excinfo else None
        if isinstance(error, CamelidError) and error.reason:
            report.sections.append(("What a server would log", error.reason))
    if isinstance(source, ModelSource):
        if report.failed and source.requests:
            report.sections.append(("What the server was asked, at last", _shown(source.requests[-_LATEST:])))
        if report.when == "call" and report.passed and source.refused:
            report.user_properties.append((_REFUSED, source.refused))
    return report


def _shown(requests: Sequence[Request]) -> str:
    return "\n".join(f"{one.method} {one.path} {one.headers.get('range', '')}".rstrip() for one in requests)


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count what was refused apart from what passed: a pass that proves less than it seems."""
    reason = dict(report.user_properties).get(_REFUSED)
    return ("refused", "R", f"REFUSED ({reason})") if reason and report.when == "call" and report.passed else None
