"""The tutorial's three packages: what its pages show is written, changed and proven as an author would do it."""

import ast
import os
import shutil
import sys
from pathlib import Path

import pytest

from camelid.scaffold.names import PackageNames
from camelid.scaffold.package import PackageKind, write_package

MOST_LINES = 40
STEPS = ("step-2", "step-3")


@pytest.fixture(scope="module")
def begin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `camelid new backend suffix` writes: the first step. Tests of the scaffold prove it."""
    folder = tmp_path_factory.mktemp("tutorial") / "step-1"
    write_package(PackageKind.BACKEND, PackageNames("suffix"), folder)
    return folder


@pytest.fixture(scope="module", params=STEPS)
def package(request: pytest.FixtureRequest, docs: Path, begin: Path, run) -> Path:
    """The package after a step, made of the first one by the changes of each step up to it."""
    folder = begin.parent / request.param
    shutil.copytree(begin, folder)
    source = folder / "src" / "camelid_suffix"
    for step in STEPS[: STEPS.index(request.param) + 1]:
        (source / "batch.py").unlink(missing_ok=True)
        run(["git", "apply", str(docs / "tutorial" / step / "changes.diff")], folder)
        for file in (docs / "tutorial" / step).glob("*.py"):
            shutil.copy(file, source)
    return folder


def _lines(definition: ast.AST) -> int:
    """Lines of code, without docstrings and blank lines."""
    for node in ast.walk(definition):
        body = getattr(node, "body", None)
        if isinstance(body, list) and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
            node.body = body[1:] or [ast.Pass()]
    return len(ast.unparse(definition).splitlines())


def test_a_decoder_and_what_it_computes_are_short(begin):
    tree = ast.parse((begin / "src" / "camelid_suffix" / "backend.py").read_text())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    (logits,) = [node for node in classes["SuffixModel"].body if getattr(node, "name", "") == "logits"]
    assert _lines(classes["SuffixDecoder"]) + _lines(logits) <= MOST_LINES


def test_the_kit_passes(package, run):
    """The package is found by its metadata, as if it had been installed."""
    site = package / "site"
    info = site / "camelid_suffix-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: camelid-suffix\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[camelid]\nsuffix = camelid_suffix.plugin\n")
    path = os.pathsep.join(map(str, (package / "src", site)))
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # an author has none of ours
    printed = run([sys.executable, "-m", "pytest", "-q"], package, PYTHONPATH=path, **alone)
    assert " passed" in printed
    assert " failed" not in printed


def test_the_package_stays_clean(package, run):
    run([sys.executable, "-m", "ruff", "check", "--no-cache", "."], package)
    run([sys.executable, "-m", "ruff", "format", "--no-cache", "--check", "."], package)
    run([sys.executable, "-m", "mypy", "--cache-dir", str(package.parent / "mypy"), "src"], package)
