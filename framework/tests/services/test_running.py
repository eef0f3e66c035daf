import pytest
from camelid.engine.pool import Pool
from camelid.errors import ModelNotFoundError
from camelid.services.embed import Embed, EmbedRequest
from camelid.services.loading import Models
from camelid.services.running import Running


@pytest.fixture
def running(models: Models, pool: Pool) -> Running:
    return Running(models, pool)


async def test_models_are_listed_while_they_are_loaded(running: Running, models: Models, pool: Pool, add_model):
    add_model("one", content=b'{"camelid_backend": "echo"}')
    add_model("two", content=b'{"camelid_backend":"echo"}')
    embed = Embed(models, pool)
    assert running.list() == []
    await embed(EmbedRequest(model="ONE", keep_alive=10.0))
    await embed(EmbedRequest(model="two", keep_alive=1000.0, options={"num_ctx": 128}))
    listed = running.list()
    assert [(model.name, model.backend) for model in listed] == [("two:latest", "echo"), ("one:latest", "echo")]
    assert listed[0].context_length == 128
    assert listed[0].expires_at > listed[1].expires_at
    assert len(listed[0].digest) == 64
    await running.stop("two")
    assert [model.name for model in running.list()] == ["one:latest"]
    await running.stop("two")
    await running.stop("one")
    assert running.list() == []


async def test_what_is_unknown_cannot_be_stopped(running: Running):
    with pytest.raises(ModelNotFoundError, match="model 'x' not found"):
        await running.stop("x")
