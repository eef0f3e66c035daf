"""The Python files of plugins: whether they were edited, and forgetting what was imported of them."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType
from typing import TypeAlias

from camelid.plugins.discovery import Candidate

__all__ = ("Sources", "forget_modules")

_Stamp: TypeAlias = Mapping[Path, tuple[int, int]]
"""Time of the last change in nanoseconds, and size in bytes, of each file."""


class Sources:
    """What the files of some plugins looked like when they were looked at last."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._seen = [(candidate, _stamp(candidate)) for candidate in candidates]

    def edited(self) -> list[Candidate]:
        """The plugins with a file that was changed, added or removed since the last call. Blocks, for a millisecond
        or a few: each file is asked for its size and times.
        """
        last, self._seen = self._seen, [(candidate, _stamp(candidate)) for candidate, _ in self._seen]
        pairs = zip(last, self._seen, strict=True)
        return [candidate for (candidate, before), (_, now) in pairs if before != now]


def forget_modules(candidate: Candidate) -> None:
    """Have the next import of a plugin's package read its files, here and in processes that start from now on.

    Modules in machine language stay: most of them cannot be loaded twice into one process.
    """
    # A copy first: other threads import meanwhile.
    for name, module in list(sys.modules.items()):
        if (name == candidate.top or name.startswith(candidate.top + ".")) and not _compiled(module):
            sys.modules.pop(name, None)
    importlib.invalidate_caches()
    # Python's own caches are believed if whole seconds and sizes agree, which two quick edits can have in common.
    for path in _files(candidate):
        with suppress(OSError):
            Path(importlib.util.cache_from_source(str(path))).unlink()


def _compiled(module: ModuleType) -> bool:
    return isinstance(getattr(module, "__loader__", None), ExtensionFileLoader)


def _stamp(candidate: Candidate) -> _Stamp:
    stamp = {}
    for path in _files(candidate):
        try:
            status = path.stat()
        except OSError:  # it was removed meanwhile
            continue
        stamp[path] = (status.st_mtime_ns, status.st_size)
    return stamp


def _files(candidate: Candidate) -> list[Path]:
    """All Python files of its top-level package, or the one file if that is a module."""
    try:
        spec = importlib.util.find_spec(candidate.top)
    except (ImportError, ValueError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is None:
        return [Path(spec.origin)] if spec.origin else []
    return [path for folder in spec.submodule_search_locations for path in Path(folder).rglob("*.py")]
