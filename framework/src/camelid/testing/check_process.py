"""The kit in a process of its own: a backend that crashes, or hangs, there fails one case, and the others go on.

`python -m camelid.testing.check_process` reads an `Order` from standard input and writes `News`, a line each.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from threading import Timer
from typing import IO, Final, cast

import msgspec

from camelid.engine.post_mortem import exit_text
from camelid.errors import WorkerDiedError
from camelid.plugins.host import PluginHost
from camelid.testing.live import live_suite
from camelid.testing.outcomes import Outcome
from camelid.testing.report import Finding
from camelid.testing.runner import run_suite
from camelid.types.artifact import ModelArtifact
from camelid.worker.guard import take_pipes

__all__ = ("Order", "check_apart")

# -P: the folder that the command was started in must not shadow modules.
_COMMAND: Final = (sys.executable, "-P", "-m", "camelid.testing.check_process")
_WAITS: Final = 10
"""How often a case may wait as long as the order's patience allows."""
_LAST_LINES: Final = 12
_END_SECONDS: Final = 10.0
"""For a process that has closed its standard output to be gone."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked."""

    backend: str
    artifact: ModelArtifact
    adapter: str = ""
    """Path of an adapter of the model; empty for none."""
    patience: float
    """Seconds that anything in a case may take."""
    only: str = ""
    """Run the cases whose names hold this."""
    plugins: tuple[str, ...] | None = None
    """Entry-point names to load; None for all."""
    disabled: tuple[str, ...] = ()
    skip: frozenset[str] = frozenset()
    """Titles of findings that are there already."""


class News(msgspec.Struct, frozen=True):
    """A case began, or ended; without a case, all of them have."""

    case: Finding | None = None
    over: bool = False


def check_apart(order: Order) -> Iterator[Finding]:
    """Run the kit on what is installed; each case is told of as soon as it has ended.

    A case that ends the process has failed; the rest is run in another one.

    Raises:
        WorkerDiedError: the process ended without beginning a case.
    """
    with tempfile.TemporaryDirectory(prefix="camelid-check-") as folder:
        over = order.skip
        while True:
            found, complete = yield from _run(msgspec.structs.replace(order, skip=over), folder)
            if complete:
                return
            over |= found


def _run(order: Order, folder: str) -> Generator[Finding, None, tuple[frozenset[str], bool]]:
    """Run one process, which may leave files in `folder`.

    Returns:
        The titles of what it found; whether that is all.
    """
    titles: set[str] = set()
    last: Finding | None = None
    with tempfile.TemporaryFile() as errors, closing(_Process(order, folder, errors)) as process:
        for news in process.news():
            last = news.case
            if last is None:
                return frozenset(titles), True
            if news.over:
                titles.add(last.title)
                yield last
        words = f"{process.death()}\n{_last_words(errors)}".strip()
    if last is None:
        raise WorkerDiedError(f"the kit could not begin: {words}")
    if last.title in titles:
        words = f"after this case {words}"
    titles.add(last.title)
    yield msgspec.structs.replace(last, outcome=Outcome.FAILED, reason=words)
    return frozenset(titles), False


class _Process:
    """A process that runs cases, and is ended where one of them takes for ever."""

    def __init__(self, order: Order, folder: str, errors: IO[bytes]) -> None:
        self._limit = order.patience * _WAITS
        self._hung = False
        environment = {**os.environ, "TMPDIR": folder}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe, stderr=errors, env=environment)
        self._answers = cast("IO[bytes]", self._process.stdout)
        requests = cast("IO[bytes]", self._process.stdin)
        with contextlib.suppress(BrokenPipeError), requests:  # a death shows in the news
            requests.write(msgspec.json.encode(order))

    def news(self) -> Iterator[News]:
        """What it tells until it ends."""
        decoder = msgspec.json.Decoder(News)
        while True:
            timer = Timer(self._limit, self._give_up)
            timer.daemon = True
            timer.start()
            line = self._answers.readline()
            timer.cancel()
            if not line.endswith(b"\n"):
                return
            yield decoder.decode(line)

    def death(self) -> str:
        """Why it ended."""
        if self._hung:
            return f"nothing happened for {self._limit:g} s, so the process was ended"
        with contextlib.suppress(subprocess.TimeoutExpired):
            return f"the process was lost: {exit_text(self._process.wait(_END_SECONDS))}"
        return "the process closed its standard output"

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._answers.close()

    def _give_up(self) -> None:
        self._hung = True
        self._process.kill()


def _last_words(errors: IO[bytes]) -> str:
    """What Python's fault handler wrote, or the last lines that anybody did."""
    errors.seek(0)
    lines = errors.read().decode(errors="replace").splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("Current thread")]
    start = starts[-1] if starts else max(0, len(lines) - _LAST_LINES)
    return "\n".join(lines[start : start + _LAST_LINES])


def main() -> None:
    """Run the cases of an order. The process then ends without any library's exit handlers, as a worker does."""
    orders, answers = take_pipes()
    with os.fdopen(orders, "rb") as file:
        order = msgspec.json.decode(file.read(), type=Order)
    told = os.fdopen(answers, "wb")
    adapter = Path(order.adapter) if order.adapter else None
    suite = live_suite(order.backend, order.artifact, adapter=adapter, patience=order.patience)
    plugins = PluginHost.load(only=order.plugins, disabled=order.disabled, process="cli")

    def tell(news: News) -> None:
        told.write(msgspec.json.encode(news) + b"\n")
        told.flush()

    def begin(case: Finding) -> None:
        tell(News(case))

    for found in run_suite(suite, plugins, only=order.only, skip=order.skip, begin=begin):
        tell(News(found, over=True))
    tell(News())
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
