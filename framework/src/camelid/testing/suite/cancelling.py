"""Clients that leave."""

import msgspec

from camelid.engine.client import WorkerClient
from camelid.testing.host import Host
from camelid.testing.outcomes import needs
from camelid.testing.suite.generating import PROMPT, greedy
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason

__all__ = ("CancellingCases",)


class CancellingCases:
    """Cancel."""

    @needs(Capability.COMPLETION)
    def test_cancelling_frees_the_sequence(self, host: Host) -> None:
        """Proves that an abandoned request holds its sequence no longer. If it fails, look at `Engine.cancel`.

        With room for one sequence, the second request can only finish once the first, which would go on for the
        whole context, is gone.
        """
        options = msgspec.structs.replace(host.spec.options, parallel=1)
        client = host.start(msgspec.structs.replace(host.spec, options=options))

        async def leave_then_ask() -> tuple[int, FinishReason | None]:
            await _leave_after_first_delta(client)
            answer = await host.collect(greedy(PROMPT, tokens=2), client)
            return answer.tokens, answer.finish

        assert host.run(leave_then_ask()) == (2, FinishReason.LENGTH)


async def _leave_after_first_delta(client: WorkerClient) -> None:
    stream = client.generate(greedy(PROMPT, tokens=-1))
    async for _ in stream:
        break
    await stream.aclose()
