"""The generated pages of the reference say what the code says."""

import ast
import runpy

from camelid.plugins.host import PluginHost
from camelid.testing.backend import BackendSuite
from camelid.testing.outcomes import needed
from camelid.testing.report import KitReport

WRITTEN_BY_HAND = {"compatibility.md"}


def test_every_page_is_up_to_date(root, monkeypatch):
    folder = root / "docs" / "reference"
    monkeypatch.syspath_prepend(folder)
    pages = runpy.run_path(str(folder / "generate.py"))["PAGES"]
    assert {path.name for path in folder.glob("*.md")} == {*pages, *WRITTEN_BY_HAND}
    old = [name for name, page in pages.items() if (folder / name).read_text(encoding="utf-8") != page()]
    assert old == [], "run: python docs/reference/generate.py"


def test_the_support_matrix_is_of_these_backends_and_these_cases(root):
    """Its outcomes are held by the conformance tests themselves, which fail where they change. What `contrib` has is
    left out: it may change or go without notice.
    """
    report = KitReport.read(root / "docs" / "reference" / "backends.json")
    cases = {name: needed(name) for name in BackendSuite.cases()}
    again = "run: pytest backends/*/tests/test_conformance.py --camelid-report docs/reference/backends.json"
    promised = {
        backend.name
        for backend in PluginHost.load().catalog.backends.values()
        if not _is_contrib(root, backend.distribution)
    }
    assert {suite.backend for suite in report.suites} == promised, again
    assert {suite.suite for suite in report.suites} >= set(_suites(root)), again
    assert report.cases == cases, again
    proven = {capability for capability in cases.values() if capability}
    for suite in report.suites:
        assert set(suite.declared) <= proven, f"no case of the kit is about one of these: {suite.declared}"
        assert suite.outcomes.keys() == cases.keys(), again
        assert set(suite.outcomes.values()) <= {"passed", "refused", "xfailed"}, suite.suite


def _is_contrib(root, distribution: str) -> bool:
    return (root / "contrib" / distribution).is_dir()


def _suites(root):
    """Names of the classes that the backends' conformance tests define on every machine."""
    for path in root.glob("backends/*/tests/test_conformance.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                yield node.name
