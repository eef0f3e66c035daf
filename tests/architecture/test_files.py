"""Files stay small, say what they export, and carry nothing of the machine they were written on."""

import ast
import re
import statistics
import subprocess
from pathlib import Path

MOST_LINES = 500
MEDIAN_LINES = 130


def _lines(path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_no_file_is_longer_than_500_lines(root, sources):
    folders = ("framework", "backends", "plugins", "contrib", "tests")
    files = [path for folder in folders for path in (root / folder).rglob("*.py")]
    too_long = {str(path.relative_to(root)): _lines(path) for path in files if _lines(path) > MOST_LINES}
    assert too_long == {}


def test_the_median_file_is_short(sources):
    lengths = [_lines(path) for path in sources if path.name not in ("__init__.py", "__main__.py")]
    assert statistics.median(lengths) <= MEDIAN_LINES


def test_every_module_has_a_docstring_and_pins_what_it_exports(root, sources):
    faults = []
    for path in sources:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        defines = any(isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) for node in tree.body)
        if ast.get_docstring(tree) is None:
            faults.append(f"{path.relative_to(root)}: no docstring")
        if defines and "__all__" not in names:
            faults.append(f"{path.relative_to(root)}: no __all__")
    assert faults == []


def test_nothing_tracked_names_this_machine_or_a_package_index(root):
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True, timeout=30
    )
    forbidden = re.compile(rf"{re.escape(str(root.parent))}/|{re.escape(str(Path.home()))}/|index-url|/simple/")
    paths = [root / name for name in tracked.stdout.split("\0") if name and name != "tests/architecture/test_files.py"]
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file()}
    assert [str(path.relative_to(root)) for path, text in texts.items() if forbidden.search(text)] == []
