"""Unloading and dying."""

import os
import signal

import psutil
import pytest

from camelid.errors import WorkerDiedError
from camelid.testing.host import Host
from camelid.testing.outcomes import needs
from camelid.testing.suite.generating import PROMPT, greedy
from camelid.types.capabilities import Capability

__all__ = ("RecoveryCases",)


class RecoveryCases:
    """End, and begin again."""

    def test_unloading_leaves_nothing_behind(self, host: Host) -> None:
        """Proves that a closed worker's process is gone, and with it its memory. Look at `LoadedModel.close`."""
        client = host.start(host.spec)
        pid = client.pid
        host.run(client.close())
        assert not client.alive
        assert not (pid and psutil.pid_exists(pid))

    @needs(Capability.COMPLETION)
    def test_kill_is_one_clear_error(self, worker: Host) -> None:
        """Proves that kill -9 in the middle of a stream fails that stream alone, and that a new worker serves."""
        client = worker.start(worker.spec)

        async def kill_in_the_middle() -> None:
            async for _ in client.generate(greedy(PROMPT, tokens=-1)):
                os.kill(client.pid, signal.SIGKILL)

        with pytest.raises(WorkerDiedError):
            worker.run(kill_in_the_middle())
        assert worker.run(worker.collect(greedy(PROMPT), worker.start(worker.spec))).text
        assert worker.answer(greedy(PROMPT)).text
