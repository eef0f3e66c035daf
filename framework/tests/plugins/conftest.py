import importlib
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

Install = Callable[..., None]

HEAD = """
import camelid
from camelid import hookimpl
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor

"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Installs tiny distributions for the length of a test: a module and its metadata, as pip would leave them."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)

    def install(name: str, source: str = "", *, api: str = "CAMELID_API = 1", package: str = "", entry: str = ""):
        package = package or f"dist-{name}"
        module = f"installed_{package.replace('-', '_')}"
        (tmp_path / f"{module}.py").write_text(HEAD + api + "\n" + textwrap.dedent(source))
        info = tmp_path / f"{package.replace('-', '_')}-2.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.5\n")
        (info / "entry_points.txt").write_text(f"[camelid]\n{name} = {entry or module}\n")
        importlib.invalidate_caches()

    yield install
    for name in set(sys.modules) - before:
        if name.startswith("installed_"):
            del sys.modules[name]


BACKEND = """
@hookimpl
def camelid_backends(register):
    register(BackendDescriptor(name="{name}", formats=frozenset({{"{format}"}}), capabilities=frozenset()))
"""


@pytest.fixture
def backend_source() -> Callable[[str, str], str]:
    """The source of a hook that registers one backend."""
    return lambda name, model_format="toy": BACKEND.format(name=name, format=model_format)
