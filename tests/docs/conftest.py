"""Plugins that stand in the documentation, as if they had been installed."""

import importlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from camelid.plugins.host import PluginHost
from camelid.plugins.record import PluginStatus
from camelid.plugins.registration import Process

Plugins = Callable[..., PluginHost]


@pytest.fixture(scope="session")
def docs() -> Path:
    return Path(__file__).parents[2] / "docs"


@pytest.fixture
def plugins(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """Installs snippets of the page of hooks, each as a plugin with the name of its hook, and loads them.

    Child processes find them, too. A snippet that is broken fails the test.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")])))

    def load(*hooks: str, process: Process = "server") -> PluginHost:
        for hook in hooks:
            shutil.copyfile(docs / "reference" / "snippets" / f"{hook}.py", site / f"snippet_{hook}.py")
            info = site / f"dist_{hook}-1.0.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dist-{hook}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[camelid]\n{hook} = snippet_{hook}\n")
        importlib.invalidate_caches()
        host = PluginHost.load(only=set(hooks), process=process)
        assert [row.reason for row in host.records if row.status is PluginStatus.BROKEN] == []
        return host

    yield load
    for name in [name for name in sys.modules if name.startswith("snippet_")]:
        del sys.modules[name]
