"""The journal itself: an SQLite file that keeps its size."""

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from camelid.types.events import RequestFinished

__all__ = ("Journal", "Usage")

MOST_ROWS: Final = 100_000
"""Of each table; the oldest go."""
ENOUGH_TOKENS: Final = 256
"""Generated on a backend, until its speed is believed."""
_BUSY_SECONDS: Final = 5.0
"""To wait for another process that writes."""

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS requests (
    at REAL, purpose TEXT, model TEXT, backend TEXT, outcome TEXT, error TEXT, prompt_tokens INTEGER,
    cached_tokens INTEGER, generated_tokens INTEGER, generation_ns INTEGER, total_ns INTEGER
);
CREATE INDEX IF NOT EXISTS requests_by_model ON requests (model, backend);
CREATE TABLE IF NOT EXISTS changes (at REAL, model TEXT, backend TEXT, what TEXT);
"""


class Usage(msgspec.Struct, frozen=True):
    """What one model did on one backend."""

    model: str
    backend: str
    requests: int
    not_finished: int
    """Of these, the ones that failed or were cancelled."""
    prompt_tokens: int
    cached_tokens: int
    """Of the prompts' tokens, those that did not have to be computed."""
    generated_tokens: int
    tokens_per_second: float
    """While it generated; 0 if it never did."""
    loads: int
    deaths: int
    """Times that its worker died."""


class Journal:
    """Opened for each use: events are rare beside tokens, and any thread or process may come."""

    def __init__(self, path: Path | None = None) -> None:
        """Take the usual file, or another."""
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        self.path = path or Path(state).expanduser() / "camelid" / "journal.sqlite"

    def add_request(self, event: RequestFinished) -> None:
        """Note a request's end."""
        times = event.timings
        self._insert(
            "requests",
            (
                *(event.at, str(event.purpose), event.model, event.backend, str(event.outcome), event.error),
                *(times.prompt_tokens, times.cached_tokens, times.generated_tokens),
                *(times.generation_duration, times.total_duration),
            ),
        )

    def add_change(self, at: float, model: str, backend: str, what: str) -> None:
        """Note that a model was `loaded`, `unloaded`, or of what its worker died."""
        self._insert("changes", (at, model, backend, what))

    def usage(self, days: float = 0) -> list[Usage]:
        """By model and backend, the most used first.

        Args:
            days: look back so far; 0 = as far as the journal goes.
        """
        since = time.time() - 86400 * days if days > 0 else 0
        with self._open() as database:
            rows = database.execute(
                """
                SELECT model, backend, count(*), sum(outcome != 'finished'), sum(prompt_tokens), sum(cached_tokens),
                    sum(generated_tokens), coalesce(1e9 * sum(iif(generation_ns, generated_tokens, 0))
                    / nullif(sum(generation_ns), 0), 0.0),
                    (SELECT count(*) FROM changes c WHERE (c.model, c.backend, c.what) = (r.model, r.backend, 'loaded')
                     AND c.at >= ?1),
                    (SELECT count(*) FROM changes c WHERE (c.model, c.backend) = (r.model, r.backend)
                     AND c.what NOT IN ('loaded', 'unloaded') AND c.at >= ?1)
                FROM requests r WHERE at >= ?1 GROUP BY model, backend ORDER BY count(*) DESC, model, backend
                """,
                (since,),
            )
            return [Usage(*row) for row in rows]

    def fastest(self, model: str, backends: Sequence[str]) -> str | None:
        """The backend that generated a model's tokens fastest; None unless two have generated enough."""
        with self._open() as database:
            rows = database.execute(
                """
                SELECT backend, sum(generated_tokens) * 1.0 / sum(generation_ns) FROM requests
                WHERE model = ? AND generation_ns > 0 GROUP BY backend HAVING sum(generated_tokens) >= ?
                """,
                (model, ENOUGH_TOKENS),
            )
            speeds = {backend: speed for backend, speed in rows if backend in backends}
        return max(speeds, key=lambda backend: speeds[backend]) if len(speeds) > 1 else None

    def _insert(self, table: str, values: Sequence[object]) -> None:
        places = ", ".join("?" * len(values))
        with self._open() as database:
            # Neither name comes from anybody else.
            last = database.execute(f"INSERT INTO {table} VALUES ({places})", values).lastrowid  # noqa: S608
            database.execute(f"DELETE FROM {table} WHERE rowid <= ?", ((last or 0) - MOST_ROWS,))  # noqa: S608

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """The database, for one transaction."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        try:
            with database:
                database.executescript(_TABLES)
                yield database
        finally:
            database.close()
