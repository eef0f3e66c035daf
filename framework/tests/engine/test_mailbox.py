import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.engine.mailbox import MOST_TOKENS, Mailbox
from camelid.errors import ModelLoadError, RequestCancelledError, WorkerDiedError
from camelid.types.generation import FinishReason, Timings, TokenLogprob
from camelid.wire.messages import Delta, Fault

deltas = st.lists(
    st.builds(
        Delta,
        st.just(1),
        st.text(max_size=3),
        st.integers(0, 3),
        logprobs=st.builds(lambda count: (TokenLogprob(1, -0.5),) * count, st.integers(0, 2)),
    ),
    min_size=1,
    max_size=100,
)


@given(deltas, st.data())
def test_however_late_the_reader_comes_nothing_is_lost(given_deltas, data):
    end = Delta(1, finish=FinishReason.LENGTH, timings=Timings(3, 1), context=(1, 2))

    async def read() -> list[Delta]:
        mailbox, taken = Mailbox(), []
        for delta in [*given_deltas, end]:
            assert mailbox.put(delta)
            if data.draw(st.booleans()):
                taken.append(await mailbox.take())
        while not taken or taken[-1].finish is None:
            taken.append(await mailbox.take())
        return taken

    taken = asyncio.run(read())
    assert "".join(delta.text for delta in taken) == "".join(delta.text for delta in given_deltas)
    assert sum(delta.tokens for delta in taken) == sum(delta.tokens for delta in given_deltas)
    assert sum(len(delta.logprobs) for delta in taken) == sum(len(delta.logprobs) for delta in given_deltas)
    assert [delta.finish for delta in taken if delta.finish] == [FinishReason.LENGTH]
    assert (taken[-1].timings, taken[-1].context) == (Timings(3, 1), (1, 2))


async def test_a_waiting_reader_is_woken():
    mailbox = Mailbox()
    reader = asyncio.create_task(mailbox.take())
    await asyncio.sleep(0)
    mailbox.put(Delta(1, "a"))
    assert await reader == Delta(1, "a")


async def test_a_failure_comes_after_what_was_there_and_is_final():
    mailbox = Mailbox()
    mailbox.put(Delta(1, "a"))
    mailbox.put(Delta(1, "b", fault=Fault("ModelLoadError", "broken")))
    mailbox.put(Delta(1, "never seen"))
    mailbox.fail(WorkerDiedError("too late to matter"))
    assert (await mailbox.take()).text == "ab"
    with pytest.raises(ModelLoadError, match="broken"):
        await mailbox.take()
    assert mailbox.ended


async def test_a_reader_that_is_hopelessly_behind_is_given_up():
    mailbox = Mailbox()
    assert mailbox.put(Delta(1, "a", MOST_TOKENS))
    assert not mailbox.put(Delta(1, "b", 1))
    assert (await mailbox.take()).text == "ab"
    with pytest.raises(RequestCancelledError):
        await mailbox.take()
