"""Unloading and dying."""

import os
import signal
from typing import Final

import psutil

from camelid.errors import WorkerDiedError
from camelid.testing.host import Host
from camelid.testing.outcomes import check, expect_error, needs
from camelid.testing.suite.generating import PROMPT, greedy
from camelid.types.capabilities import Capability

__all__ = ("RecoveryCases",)

_LOADINGS: Final = 4
"""The first one may fill caches."""
_NOISE: Final = 64 << 20
"""Bytes that allocators may keep."""


class RecoveryCases:
    """End, and begin again."""

    def test_unloading_leaves_nothing_behind(self, host: Host) -> None:
        """Proves that a closed worker's process is gone, and with it its memory. Look at `LoadedModel.close`."""
        client = host.start(host.spec)
        pid = client.pid
        host.run(client.close())
        check(not client.alive, "a worker that takes no more requests after it was closed", client.ended)
        check(not (pid and psutil.pid_exists(pid)), "no process after closing", pid)

    def test_unloading_gives_memory_back(self, host: Host) -> None:
        """Proves that models can come and go in one process. If it fails, look at `LoadedModel.close` and at caches.

        Looks at this process: with the model in it, or as a server that had it in a worker.
        """
        sizes, size = [], 0
        for _ in range(_LOADINGS):
            with host.another(host.spec) as client:
                size = sum(use.total for use in client.ready.memory)
            sizes.append(psutil.Process().memory_info().rss)
        allowed = max(_NOISE, size)
        check(sizes[-1] - sizes[0] < allowed, f"less than {allowed} bytes more after {_LOADINGS} loadings", sizes)

    @needs(Capability.COMPLETION)
    def test_kill_is_one_clear_error(self, worker: Host) -> None:
        """Proves that kill -9 in the middle of a stream fails that stream alone, and that a new worker serves."""
        client = worker.start(worker.spec)

        async def kill_in_the_middle() -> None:
            stream = client.generate(greedy(PROMPT, tokens=-1))
            await anext(stream)
            os.kill(client.pid, signal.SIGKILL)
            async for _ in stream:
                pass
            await worker.collect(greedy(PROMPT), client)  # the answer was so short that it had been told already

        expect_error(WorkerDiedError, lambda: worker.run(kill_in_the_middle()))
        with worker.another(worker.spec) as successor:
            for other in (successor, worker.client):
                text = worker.run(worker.collect(greedy(PROMPT), other)).text
                check(bool(text), "an answer of another worker", text)
