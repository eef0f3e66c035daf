"""Broken backends as real, installed plugins, and the kit run on them as their authors would run it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

_PLUGIN = """
import msgspec
from camelid import hookimpl
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor

CAMELID_API = 1

@hookimpl
def camelid_backends(register):
    register(BackendDescriptor(name="{name}", formats=frozenset({{"{name}"}}), capabilities=frozenset(Capability)))

@hookimpl
def camelid_load_model(artifact, options):
    from camelid_echo.backend import EchoModel
    return EchoModel(artifact, options)

@hookimpl
def camelid_tokenizer(model):
    from camelid_echo.backend import EchoTokenizer
    return EchoTokenizer()

@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoBatchDecoder
    return EchoBatchDecoder(model)

@hookimpl
def camelid_media_tokenizer(model):
    from camelid_echo.media import EchoMediaTokenizer
    return EchoMediaTokenizer()

@hookimpl
def camelid_embedder(model):
    from camelid_echo.backend import EchoEmbedder
    return EchoEmbedder(model)

@hookimpl
def camelid_ranker(model):
    from camelid_echo.backend import EchoRanker
    return EchoRanker(model)

"""

_SUITE = """
from camelid.testing import BackendSuite
from camelid.types import LoadOptions, ModelArtifact, ModelFile


class TestIt(BackendSuite):
    backend = "{name}"
    options = LoadOptions(context_length=512, parallel=4, batch_tokens=128)

    def make_artifact(self, folder):
        path = folder / "model"
        path.write_text('{{"camelid_backend": "echo"}}')
        return ModelArtifact(name="{name}", format="{name}", files=(ModelFile(path=str(path)),))

"""


class KitRun:
    """What an author sees."""

    def __init__(self, output: str, report: Path) -> None:
        self.output = output
        self.outcomes: dict[str, str] = {}
        """Case (with its parameters) → `passed`, `failure`, `error` or `skipped`."""
        self.texts: dict[str, str] = {}
        """Case → the sentence in the report, for those that did not pass."""
        for case in ET.parse(report).iter("testcase"):
            fault = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
            self.outcomes[case.get("name", "")] = "passed" if fault is None else fault.tag
            if fault is not None:
                self.texts[case.get("name", "")] = fault.get("message", "")


@pytest.fixture
def run_kit(tmp_path) -> Callable[..., KitRun]:
    """Install a plugin that differs from the echo backend by `mistake`, and run the kit's cases on it."""

    def run(mistake: str = "", *, suite: str = "", cases: str = "", name: str = "mine", strict: bool = False) -> KitRun:
        (tmp_path / "my_plugin.py").write_text(_PLUGIN.format(name="mine") + mistake)
        info = tmp_path / "my_plugin-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-plugin\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[camelid]\nmine = my_plugin\n")
        (tmp_path / "conftest.py").write_text('pytest_plugins = ["camelid.testing.plugin"]\n')
        (tmp_path / "test_it.py").write_text(_SUITE.format(name=name) + suite)
        report = tmp_path / "report.xml"
        options = ["-ra", "-p", "no:cacheprovider", "-c", os.devnull, f"--rootdir={tmp_path}"]
        options += ["-k", cases, f"--junitxml={report}", *(["--camelid-strict"] if strict else [])]
        options.append(f"--camelid-report={tmp_path / 'kit.json'}")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, str(tmp_path / "test_it.py")],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=100,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))),
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # an author has none of ours, which take seconds to import
            },
            check=False,
        )
        assert report.exists(), done.stdout + done.stderr
        return KitRun(done.stdout, report)

    return run
