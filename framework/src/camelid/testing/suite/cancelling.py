"""Clients that leave."""

import msgspec

from camelid.contracts.engine import EngineRequest
from camelid.engine.client import WorkerClient
from camelid.testing.drive import engine_of, prompt_of, steps_of
from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs
from camelid.testing.parts import Parts
from camelid.testing.suite.generating import PROMPT, greedy
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason

__all__ = ("CancellingCases",)


class CancellingCases:
    """Cancel."""

    @needs(Capability.COMPLETION)
    def test_nothing_comes_of_a_cancelled_request(self, parts: Parts) -> None:
        """Proves that not one token is told after `cancel`, and that others go on. If it fails, look there.

        A worker reads what clients want between two steps: between a client's leaving and `cancel` is one step at most.
        """
        engine = engine_of(parts)
        prompt, sampling = tuple(prompt_of(parts)), greedy("", tokens=16).sampling
        for number in range(2):
            engine.submit(EngineRequest(number, prompt, sampling))
        before = engine.step()
        engine.cancel(0)
        engine.cancel(99)
        after = [event for events in steps_of(engine) for event in events]
        came = [event.tokens for event in after if event.id == 0]
        check(not came, "no event of a request that was cancelled", came)
        ends = [event.error or event.finish for event in (*before, *after) if event.id == 1]
        check(isinstance(ends[-1], FinishReason), "the end of the other request", ends)

    @needs(Capability.COMPLETION)
    def test_cancelling_frees_the_sequence(self, host: Host) -> None:
        """Proves that an abandoned request holds its sequence no longer. If it fails, look at `Engine.cancel`.

        With room for one sequence, the second request can only finish once the first, which would go on for the
        whole context, is gone.
        """
        options = msgspec.structs.replace(host.spec.options, parallel=1)

        async def leave_then_ask(client: WorkerClient) -> tuple[int, FinishReason | None]:
            await _leave_after_first_delta(client)
            answer = await host.collect(greedy(PROMPT, tokens=2), client)
            return answer.tokens, answer.finish

        with host.another(msgspec.structs.replace(host.spec, options=options)) as client:
            came = host.run(leave_then_ask(client))
        check(came == (2, FinishReason.LENGTH), "2 tokens and the finish 'length' for the next request", came)


async def _leave_after_first_delta(client: WorkerClient) -> None:
    stream = client.generate(greedy(PROMPT, tokens=-1))
    async for _ in stream:
        break
    await stream.aclose()
