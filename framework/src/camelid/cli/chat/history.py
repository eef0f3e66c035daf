"""The history of what was typed, in Ollama's file: plain lines, the last hundred (contract 19.5)."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from prompt_toolkit.history import History

__all__ = ("LineHistory",)

_LINES: Final = 100
_QUOTES: Final = '"""'


class LineHistory(History):
    """Keeps messages as lines of text. One of several lines stands between triple quotes and stays one entry."""

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; it need not exist."""
        super().__init__()
        self._path = path
        self.writes = True
        """Whether new entries go to the file."""

    def load_history_strings(self) -> Iterable[str]:
        """The entries, newest first."""
        return reversed(self._entries())

    def store_string(self, string: str) -> None:
        """Add an entry; the oldest ones go when there are more than a hundred lines."""
        if not self.writes:
            return
        several = "\n" in string and not string.lstrip().startswith(_QUOTES)
        entries = [*self._entries(), f"{_QUOTES}{string}{_QUOTES}" if several else string]
        while sum(entry.count("\n") + 1 for entry in entries) > _LINES and len(entries) > 1:
            entries.pop(0)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text("".join(f"{entry}\n" for entry in entries), "utf-8")
        except OSError:
            return  # a history that cannot be written must not end a chat

    def _entries(self) -> list[str]:
        try:
            lines = self._path.read_text("utf-8", "replace").removesuffix("\n").split("\n")
        except OSError:
            return []
        entries: list[str] = []
        opened: list[str] = []
        for line in lines:
            if opened:
                opened.append(line)
                if line.rstrip().endswith(_QUOTES):
                    entries.append("\n".join(opened))
                    opened = []
            elif not line:
                continue
            elif line.startswith(_QUOTES) and not (len(line) > len(_QUOTES) and line.rstrip().endswith(_QUOTES)):
                opened = [line]
            else:
                entries.append(line)
        return entries + opened
