"""The Python files of plugins: whether they were edited, and forgetting what was imported of them."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from camelid.plugins.discovery import Candidate

__all__ = ("Sources", "forget_modules")

_Stamp: TypeAlias = Mapping[Path, tuple[int, int]]
"""Time of the last change in nanoseconds, and size in bytes, of each file."""


class Sources:
    """What the files of some plugins looked like when they were looked at last."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = tuple(candidates)
        self._stamps = {candidate.name: _stamp(candidate) for candidate in self._candidates}

    def edited(self) -> list[Candidate]:
        """The plugins with a file that was changed, added or removed since the last call. Blocks, for a millisecond
        or a few: each file is asked for its size and times.
        """
        found = []
        for candidate in self._candidates:
            stamp = _stamp(candidate)
            if stamp != self._stamps[candidate.name]:
                self._stamps[candidate.name] = stamp
                found.append(candidate)
        return found


def forget_modules(candidate: Candidate) -> None:
    """Have the next import of a plugin's package read its files, here and in processes that start from now on."""
    for name in [name for name in sys.modules if name == candidate.top or name.startswith(candidate.top + ".")]:
        del sys.modules[name]
    importlib.invalidate_caches()
    # Compiled files are believed if whole seconds and sizes agree, which two quick edits can have in common.
    for path in _files(candidate):
        with suppress(OSError):
            Path(importlib.util.cache_from_source(str(path))).unlink()


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
