"""What observers hear of the pool: models that come, go and die, and how each request ended."""

import pytest

from camelid.engine.pool import Pool
from camelid.errors import ModelLoadError, PromptTooLongError
from camelid.plugins.host import PluginHost
from camelid.settings import Settings
from camelid.types.events import ModelLoaded, ModelUnloaded, Outcome, Purpose, RequestFinished
from camelid.types.generation import Timings
from camelid.types.memory import MemoryUse

SOURCE = """
heard = []

@hookimpl
def camelid_model_loaded(event): heard.append(event)

@hookimpl
def camelid_model_unloaded(event): heard.append(event)

@hookimpl
def camelid_request_finished(event): heard.append(event)
"""


@pytest.fixture
async def observed(install, toys, toy_catalog):
    """A pool of toy workers, and how to end it: what was heard by then."""
    install("ears", SOURCE)
    plugins = PluginHost.load(only={"ears"})
    pool = Pool(toy_catalog, Settings(placement="toy"), available=lambda: 1 << 40, plugins=plugins)

    async def heard():
        await pool.close()
        import installed_dist_ears

        return installed_dist_ears.heard

    yield pool, heard
    await pool.close()


async def fail(pool, request, error, timings=None):
    async with pool.lease(request, None, Purpose.EMBED) as lease:
        lease.account.generated += 2
        lease.account.timings = timings
        raise error


async def test_a_model_comes_serves_and_goes(observed, model):
    pool, heard = observed
    async with pool.lease(model("a"), None, Purpose.CHAT) as lease:
        lease.account.timings = Timings(prompt_tokens=5, generated_tokens=3, total_duration=9)
    loaded, finished, unloaded = await heard()
    assert loaded == ModelLoaded(
        at=loaded.at,
        model="a",
        digest="digest of a",
        backend="toy",
        backend_reason="it goes before others that read toy: other",
        runtime="",
        context_length=4096,
        memory=(MemoryUse("cpu", 10, 2), MemoryUse("cuda:0", 5)),
        load_duration=0,
    )
    assert finished == RequestFinished(
        at=finished.at,
        purpose=Purpose.CHAT,
        model="a",
        digest="digest of a",
        backend="toy",
        outcome=Outcome.FINISHED,
        timings=Timings(prompt_tokens=5, generated_tokens=3, total_duration=9),
    )
    assert unloaded == ModelUnloaded(at=unloaded.at, model="a", digest="digest of a", backend="toy")
    assert loaded.at <= finished.at <= unloaded.at


@pytest.mark.parametrize(
    ("error", "outcome", "name"),
    [
        (GeneratorExit(), Outcome.CANCELLED, ""),
        (PromptTooLongError("secret words"), Outcome.FAILED, "PromptTooLongError"),
        (ValueError("secret words"), Outcome.FAILED, "ValueError"),
    ],
)
async def test_requests_that_end_otherwise(observed, model, error, outcome, name):
    pool, heard = observed
    with pytest.raises(type(error)):
        await fail(pool, model("a"), error)
    _, finished, _ = await heard()
    assert (finished.outcome, finished.error, finished.purpose) == (outcome, name, Purpose.EMBED)
    assert finished.timings.generated_tokens == 2
    assert finished.timings.total_duration > 0
    assert "secret" not in repr(finished)


async def test_who_leaves_after_the_last_token_was_served(observed, model):
    pool, heard = observed
    with pytest.raises(GeneratorExit):
        await fail(pool, model("a"), GeneratorExit(), Timings(generated_tokens=1))
    assert (await heard())[1].outcome is Outcome.FINISHED


async def test_a_model_that_does_not_load_and_one_whose_worker_dies(observed, model, toys, until):
    pool, heard = observed
    with pytest.raises(ModelLoadError):
        async with pool.lease(model("bad", config={"load": "refuse"}), None):
            pass
    async with pool.lease(model("a"), None):
        pass
    toys.workers[-1].end("killed by SIGSEGV\nlast words")
    await until(lambda: not pool.running())
    failed, _, finished, unloaded = await heard()
    assert (failed.model, failed.backend, failed.error) == ("bad", "", "ModelLoadError")
    assert finished.outcome is Outcome.FINISHED
    assert (unloaded.model, unloaded.death) == ("a", "killed by SIGSEGV")
