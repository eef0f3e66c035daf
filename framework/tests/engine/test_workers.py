"""Client and pool with real workers: the echo backend, in child processes and in threads."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import psutil
import pytest
import uvloop

from camelid.engine import placements
from camelid.engine.client import WorkerClient
from camelid.engine.pool import LoadRequest, Pool
from camelid.errors import (
    InvalidModelFileError,
    PromptTooLongError,
    ServerBusyError,
    UnsupportedCapabilityError,
    WorkerDiedError,
)
from camelid.plugins.host import PluginHost
from camelid.settings import Settings
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.generation import FinishReason
from camelid.types.options import Options, SamplingOptions
from camelid.wire.messages import Submit

GREEDY = SamplingOptions(temperature=0)
SLOW = {"delay": 0.005}


@pytest.fixture
def echo(tmp_path: Path):
    """Makes requests for echo models of any name."""

    def echo(name: str, content: str = '{"camelid_backend": "echo"}', **options) -> LoadRequest:
        path = tmp_path / name
        path.write_text(content)
        artifact = ModelArtifact(name, "echo", (ModelFile(str(path), size=len(content)),))
        return LoadRequest(name, name, artifact, Options(**options))

    return echo


@asynccontextmanager
async def open_pool(**settings) -> AsyncIterator[Pool]:
    catalog = PluginHost.load(only={"echo"}, builtins={"placements": placements}).catalog
    pool = Pool(catalog, Settings(**settings))
    try:
        yield pool
    finally:
        await pool.close()
        assert psutil.Process().children() == []


async def say(client: WorkerClient, text: str) -> str:
    return "".join([delta.text async for delta in client.generate(Submit(0, text, GREEDY))])


@pytest.mark.parametrize("placement", ["process", "in-process"])
@pytest.mark.parametrize("tier", ["decoder", "batch", "engine"])
async def test_a_worker_serves_everything_a_client_can_ask(echo, placement, tier):
    async with open_pool(placement=placement) as pool:
        async with pool.lease(echo("a", num_ctx=64, backend_options={"tier": tier}), None) as lease:
            client = lease.client
            assert client.ready.facts.context_length == 64
            assert (client.pid > 0) is (placement == "process")
            texts = [f"wörd {number} 🦙" for number in range(6)]
            assert await asyncio.gather(*(say(client, text) for text in texts)) == texts
            [*_, last] = [delta async for delta in client.generate(Submit(0, "abc", GREEDY, return_context=True))]
            assert (last.finish, last.timings.generated_tokens) == (FinishReason.STOP, 3)
            assert len(last.context) == last.timings.prompt_tokens + 3
            assert await client.tokenize("hi", add_special=False, parse_special=False) == (104, 105)
            assert await client.detokenize((104, 105)) == "hi"
            embedded = await client.embed(("ab", "b"), truncate=True)
            assert len(embedded.vectors) == 2 * 4 * embedded.dimensions
            with pytest.raises(PromptTooLongError):
                await client.embed(("x" * 100,), truncate=False)
        (row,) = pool.running()
        assert (row.name, row.backend, row.size, row.size_vram) == ("a", "echo", 4 * 64 * 4, 0)


def test_workers_live_on_uvloop_too(echo):
    async def main():
        async with open_pool() as pool, pool.lease(echo("a"), None) as lease:
            assert await say(lease.client, "hello") == "hello"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_kill_9_in_the_middle_of_a_stream_harms_nobody_else(echo):
    async with open_pool() as pool:
        async with (
            pool.lease(echo("a", backend_options=SLOW), None) as doomed,
            pool.lease(echo("b", backend_options=SLOW), None) as other,
        ):
            reading = asyncio.create_task(say(other.client, "x" * 60))
            async with aclosing(doomed.client.generate(Submit(0, "y" * 400, GREEDY))) as deltas:
                await anext(deltas)
                os.kill(doomed.client.pid, signal.SIGKILL)
                with pytest.raises(WorkerDiedError) as caught:
                    async for _ in deltas:
                        pass
            assert caught.value.message.startswith("model runner has unexpectedly stopped")
            assert caught.value.reason.startswith("killed by SIGKILL")
            assert await reading == "x" * 60
            assert [row.name for row in pool.running()] == ["b"]
        async with pool.lease(echo("a", backend_options=SLOW), None) as again:
            assert again.client.pid != doomed.client.pid
            assert await say(again.client, "back") == "back"


async def test_the_last_words_of_a_crash_are_kept(echo):
    async with open_pool() as pool, pool.lease(echo("a"), None) as lease:
        os.kill(lease.client.pid, signal.SIGSEGV)
        reason = await lease.client.ended
        assert reason.startswith("killed by SIGSEGV\n")
        assert "Fatal Python error: Segmentation fault" in reason


async def test_a_client_that_leaves_frees_its_sequence(echo):
    async with open_pool(num_parallel=1) as pool, pool.lease(echo("a", backend_options=SLOW), None) as lease:
        async with aclosing(lease.client.generate(Submit(0, "x" * 3000, GREEDY))) as deltas:
            await anext(deltas)
        assert await say(lease.client, "free") == "free"


async def test_a_slow_reader_gets_merged_deltas(echo):
    async with open_pool() as pool, pool.lease(echo("a"), None) as lease:
        deltas = lease.client.generate(Submit(0, "abcdefgh" * 20, GREEDY))
        texts = [(await anext(deltas)).text]
        await say(lease.client, "z" * 200)
        texts += [delta.text async for delta in deltas]
        assert "".join(texts) == "abcdefgh" * 20
        assert len(texts) < 20


async def test_concurrent_leases_start_one_process(echo):
    async with open_pool() as pool:

        async def use() -> tuple[int, str]:
            async with pool.lease(echo("a"), None) as lease:
                return lease.client.pid, await say(lease.client, "hi")

        answers = await asyncio.gather(*(use() for _ in range(5)))
        assert {text for _, text in answers} == {"hi"}
        assert len({pid for pid, _ in answers}) == 1
        assert [child.pid for child in psutil.Process().children()] == [answers[0][0]]


async def test_a_second_model_evicts_the_first_and_its_process_is_gone(echo):
    async with open_pool(max_loaded_models=1) as pool:
        async with pool.lease(echo("a"), None) as first:
            pid = first.client.pid
        async with pool.lease(echo("b"), None) as second:
            assert await say(second.client, "hi") == "hi"
            assert not psutil.pid_exists(pid)
            assert [row.name for row in pool.running()] == ["b"]


async def test_an_expired_model_gives_its_process_back(echo):
    async with open_pool() as pool:
        async with pool.lease(echo("a"), 0.01) as lease:
            pid = lease.client.pid
        async with asyncio.timeout(20):
            assert await lease.client.ended == "exited with status 0"
        assert not psutil.pid_exists(pid)


async def test_a_broken_file_is_said_so_and_the_next_model_loads(echo):
    async with open_pool() as pool:
        with pytest.raises(InvalidModelFileError, match="not an echo model's file"):
            async with pool.lease(echo("bad", "\0\1\2"), None):
                pass
        async with pool.lease(echo("good"), None) as lease:
            assert await say(lease.client, "hi") == "hi"


async def test_closing_while_loading_and_answering_leaves_no_process(echo, until):
    async with open_pool() as pool:

        async def use(name: str, text: str) -> str:
            async with pool.lease(echo(name, backend_options=SLOW), None) as lease:
                return await say(lease.client, text)

        answering = asyncio.create_task(use("a", "x" * 3000))
        await until(lambda: any(row.size == 4 * 4096 * 4 for row in pool.running()))
        loading = asyncio.create_task(use("b", "x"))
        await until(lambda: len(psutil.Process().children()) == 2)
        await pool.close()
        with pytest.raises(WorkerDiedError, match="unloaded while it was answering"):
            await answering
        with pytest.raises(ServerBusyError):
            await loading


async def test_a_worker_dies_with_its_server(echo, tmp_path):
    """The server is killed so that it can clean up nothing."""
    request = echo("a")
    program = f"""
import asyncio, os
from camelid.engine import placements
from camelid.engine.pool import LoadRequest, Pool
from camelid.plugins.host import PluginHost
from camelid.settings import Settings
from camelid.types.artifact import ModelArtifact, ModelFile

async def main():
    pool = Pool(PluginHost.load(only={{"echo"}}, builtins={{"placements": placements}}).catalog, Settings())
    artifact = ModelArtifact("a", "echo", (ModelFile({request.artifact.model.path!r}),))
    async with pool.lease(LoadRequest("a", "a", artifact), None) as lease:
        print(lease.client.pid, flush=True)
        os.kill(os.getpid(), 9)

asyncio.run(main())
"""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, env=os.environ
    )
    pid = int(await server.stdout.readline())
    await server.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(20)
    assert not psutil.pid_exists(pid)


async def test_a_format_that_nothing_loads_is_refused(echo):
    async with open_pool() as pool:
        request = LoadRequest("x", "x", ModelArtifact("x", "gguf", (ModelFile("/x"),)))
        with pytest.raises(UnsupportedCapabilityError, match="pip install camelid-llamacpp"):
            async with pool.lease(request, None):
                pass
