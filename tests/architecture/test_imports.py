"""Imports go one way, and what must stay light is light: checked in clean interpreters."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

NATIVE = ("llama_cpp", "numpy", "onnxruntime", "onnxruntime_genai", "ctransformers", "tokenizers", "llguidance")

ALLOWED = {"decoding": {"numpy", "llguidance"}, "camelid_tokenizers": {"tokenizers"}}
"""By package, what of the above may be imported outside backends; elsewhere NumPy alone."""


def _modules_after(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `statement`."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_the_layers_hold(root):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("entry", sorted(entry_points(group="camelid")), ids=lambda entry: entry.name)
def test_plugin_modules_load_no_native_library(entry):
    assert _modules_after(f"import {entry.module}").isdisjoint({*NATIVE, "litestar"})


def test_the_server_loads_no_native_library():
    assert _modules_after("import camelid.api.server").isdisjoint(NATIVE)


def test_the_worker_loads_no_server():
    assert _modules_after("import camelid.worker.__main__").isdisjoint(
        {"litestar", "uvicorn", "httpx", "click", "rich"}
    )


def test_the_command_line_loads_next_to_nothing():
    heavy = {*NATIVE, "litestar", "uvicorn", "httpx", "rich", "prompt_toolkit", "jinja2", "gotpl", "psutil"}
    assert _modules_after("import camelid.cli").isdisjoint(heavy)


def test_only_backends_import_inference_libraries(root, sources):
    faults = [
        str(path.relative_to(root))
        for path in sources
        if "backends" not in path.relative_to(root).parts
        and any(
            f"import {name}" in path.read_text() or f"from {name}" in path.read_text()
            for name in NATIVE
            if name not in ALLOWED.get(path.relative_to(root).parent.name, {"numpy"})
        )
    ]
    assert faults == []
