import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from camelid.contracts.placement import WorkerSpec
from camelid.engine.client import WorkerClient
from camelid.errors import (
    ModelLoadError,
    PromptTooLongError,
    ProtocolError,
    WorkerDiedError,
    WorkerTimeoutError,
)
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.generation import FinishReason
from camelid.types.loading import LoadOptions
from camelid.wire.faults import fault_from
from camelid.wire.messages import Cancel, Delta, Failed, Shutdown, Step, Submit, Tokens

STOPPED = "model runner has unexpectedly stopped, this may be due to resource limitations"


def spec(**config) -> WorkerSpec:
    artifact = ModelArtifact("toy", "toy", (ModelFile("/toy"),), config)
    return WorkerSpec("toy", "toy", artifact, LoadOptions(context_length=64))


@asynccontextmanager
async def started(toys, *, silence=30.0, patience=600.0, **config) -> AsyncIterator[WorkerClient]:
    client = await WorkerClient.start(toys, spec(**config), timeout=5, silence=silence, patience=patience)
    try:
        yield client
    finally:
        await client.close(grace=0.05)
        assert client.ended.done()


def cancelled(worker) -> list[int]:
    return [message.id for message in worker.heard if isinstance(message, Cancel)]


async def test_a_worker_says_what_it_loaded_and_ends_when_asked(toys):
    async with started(toys) as client:
        assert client.ready.facts.context_length == 64
        assert (client.alive, client.pid) == (True, 100)
    assert not client.alive
    assert isinstance(toys.workers[0].heard[-1], Shutdown)
    assert client.ended.result() == "exited with status 0"
    with pytest.raises(WorkerDiedError, match="unloaded"):
        await client.embed(("x",), truncate=True)
    await client.close()


async def test_requests_do_not_mix(toys, prompt):
    async with started(toys) as client:

        async def answer(text: str) -> str:
            return "".join([delta.text async for delta in client.generate(prompt(text))])

        texts = [f"a{number} b{number} c{number}" for number in range(20)]
        assert await asyncio.gather(*map(answer, texts)) == [text.replace(" ", "") for text in texts]
        ids = [message.id for message in toys.workers[0].heard if isinstance(message, Submit)]
        assert len(set(ids)) == len(ids) == 20
        assert min(ids) > 0
        assert cancelled(toys.workers[0]) == []


async def test_embedding_and_tokens(toys):
    async with started(toys) as client:
        embedded = await client.embed(("a", "b"), truncate=True)
        assert (len(embedded.vectors), embedded.prompt_tokens) == (8, 7)
        assert await client.tokenize("hi", add_special=False, parse_special=False) == (104, 105)
        assert await client.detokenize((104, 105)) == "hi"


async def test_leaving_the_iterator_cancels_the_request(toys, prompt):
    async with started(toys) as client:
        async with aclosing(client.generate(prompt("one two three"))) as deltas:
            assert (await anext(deltas)).text == "one"
        assert cancelled(toys.workers[0]) == [1]


async def test_cancelling_the_task_cancels_the_request(toys, prompt):
    async with started(toys) as client:
        task = asyncio.create_task(anext(client.generate(prompt("wait"))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cancelled(toys.workers[0]) == [1]


async def test_a_slow_reader_gets_everything_in_one_piece(toys, prompt):
    async with started(toys) as client:
        deltas = client.generate(prompt("one two three four"))
        assert (await anext(deltas)).text == "one"
        for _ in range(10):
            await asyncio.sleep(0)
        assert await anext(deltas) == Delta(1, "twothreefour", 3, FinishReason.STOP)
        with pytest.raises(StopAsyncIteration):
            await anext(deltas)


async def test_one_request_may_fail_alone(toys, prompt):
    async with started(toys) as client:
        worker = toys.workers[0]
        failing = asyncio.create_task(anext(client.generate(prompt("wait"))))
        other = asyncio.create_task(anext(client.generate(prompt("wait"))))
        await asyncio.sleep(0.01)
        fault = fault_from(PromptTooLongError("too long"))
        worker.say(Step((Delta(1, fault=fault), Delta(2, "fine"), Delta(77, "unknown"))))
        with pytest.raises(PromptTooLongError, match="too long"):
            await failing
        assert (await other).text == "fine"
        assert 1 not in cancelled(worker)
        asking = asyncio.create_task(client.embed((), truncate=False))
        worker.send = worker.heard.append
        await asyncio.sleep(0)
        worker.say(Failed(3, fault))
        with pytest.raises(PromptTooLongError):
            await asking
        assert client.alive


async def test_a_death_fails_everything_open_with_ollamas_words(toys, prompt):
    async with started(toys) as client:
        toys.workers[0].send = toys.workers[0].heard.append
        open_requests = [
            asyncio.create_task(anext(client.generate(prompt("wait")))),
            asyncio.create_task(client.embed(("x",), truncate=True)),
            asyncio.create_task(client.detokenize((1,))),
        ]
        await asyncio.sleep(0.01)
        toys.workers[0].end("killed by SIGSEGV\nlast words")
        for task in open_requests:
            with pytest.raises(WorkerDiedError) as caught:
                await task
            assert caught.value.message.startswith(STOPPED)
            assert caught.value.message.endswith("check the server's log for details")
            assert caught.value.reason == "killed by SIGSEGV\nlast words"
        with pytest.raises(WorkerDiedError):
            await anext(client.generate(prompt("more")))


async def test_a_worker_that_says_it_failed_is_ended(toys, prompt):
    async with started(toys) as client:
        task = asyncio.create_task(anext(client.generate(prompt("wait"))))
        await asyncio.sleep(0.01)
        toys.workers[0].say(Failed(0, fault_from(ValueError("bad state"))))
        with pytest.raises(WorkerDiedError, match=STOPPED) as caught:
            await task
        assert "ValueError: bad state" in caught.value.reason
        assert not client.alive
        assert toys.workers[0].dead


async def test_nonsense_ends_the_worker(toys, prompt):
    async with started(toys) as client:
        task = asyncio.create_task(anext(client.generate(prompt("wait"))))
        await asyncio.sleep(0.01)
        toys.workers[0].say_bytes(b"\xc1\xc1")
        with pytest.raises(ProtocolError):
            await task
        assert toys.workers[0].dead


async def test_an_answer_of_the_wrong_kind_is_a_protocol_error(toys):
    async with started(toys) as client:
        toys.workers[0].send = lambda _: toys.workers[0].say(Tokens(1, (1,)))
        with pytest.raises(ProtocolError):
            await client.embed(("x",), truncate=True)


@pytest.mark.parametrize(
    ("load", "seconds", "error", "message"),
    [
        ("refuse", 5, ModelLoadError, "no such tensor"),
        ("die", 5, WorkerDiedError, STOPPED),
        ("die", math.inf, WorkerDiedError, STOPPED),
        ("never", 0.02, WorkerTimeoutError, "timed out after 0.02 seconds waiting for the model to load"),
        ("speak another protocol", 5, ProtocolError, "the worker speaks version 2, this server 1"),
    ],
)
async def test_a_failed_start_says_why_and_leaves_nothing_behind(toys, load, seconds, error, message):
    with pytest.raises(error) as caught:
        await WorkerClient.start(toys, spec(load=load), timeout=seconds)
    assert caught.value.message.startswith(message)
    assert toys.alive == []
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_start_leaves_nothing_behind(toys):
    start = asyncio.create_task(WorkerClient.start(toys, spec(load="never"), timeout=math.inf))
    await asyncio.sleep(0.01)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert toys.alive == []
    assert len(asyncio.all_tasks()) == 1


async def test_a_worker_that_will_not_go_is_killed(toys):
    async with started(toys, stubborn=True) as client:
        pass
    assert client.ended.result() == "killed by SIGKILL"


async def test_a_silent_worker_that_still_answers_is_left_alone(toys, prompt):
    async with started(toys, silence=0.01, patience=5) as client:
        task = asyncio.create_task(anext(client.generate(prompt("wait"))))
        await toys.workers[0].pinged.wait()
        await asyncio.sleep(0.03)
        assert client.alive
        task.cancel()
        await asyncio.wait({task})


async def test_a_worker_that_hangs_over_its_requests_is_ended(toys, prompt):
    async with started(toys, silence=0.01, patience=0.01, deaf=True) as client:
        with pytest.raises(WorkerTimeoutError, match="no longer answers"):
            await anext(client.generate(prompt("wait")))
        assert not client.alive


async def test_a_worker_without_requests_may_be_silent(toys):
    async with started(toys, silence=0.005, patience=0.005, deaf=True) as client:
        await asyncio.sleep(0.05)
        assert client.alive
