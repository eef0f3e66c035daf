"""The compiled library: which build, which version."""

import subprocess
import sys

import pytest

from camelid.errors import MissingDependencyError
from camelid_ctransformers import library
from camelid_ctransformers.library import VERSION, Library


def test_a_build_may_be_named():
    assert Library("basic").path.parent.name == "basic"
    assert Library().path.parent.name in ("local", "avx2", "avx", "basic")


def test_another_version_is_refused_with_the_command_to_install_this_one(monkeypatch):
    monkeypatch.setattr(library.metadata, "version", lambda _name: "0.2.26")
    with pytest.raises(MissingDependencyError, match=f"pip install ctransformers=={VERSION}") as caught:
        Library()
    assert caught.value.reason == "0.2.26"


def test_without_the_package_the_command_is_named(monkeypatch):
    monkeypatch.setattr(library.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match="ctransformers is not installed"):
        Library()


def test_the_package_itself_is_not_imported():
    """It would bring in huggingface_hub, and ask another process for the processor's features."""
    code = "import sys; from camelid_ctransformers.library import Library; Library(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"ctransformers", "huggingface_hub", "cpuinfo"} & set(loaded.stdout.split())
