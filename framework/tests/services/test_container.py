from contextlib import aclosing

import msgspec
import pytest

from camelid.errors import ConfigurationError, ServerBusyError
from camelid.services.chat import ChatRequest
from camelid.services.container import Services
from camelid.services.create import CreateRequest
from camelid.settings import Settings
from camelid.types.messages import Message
from camelid.types.names import ModelName


async def test_a_model_is_pulled_made_into_another_and_answers(settings: Settings):
    async with Services(msgspec.structs.replace(settings, plugins=("echo",))) as services:
        async with aclosing(services.pull(ModelName.parse("camelid/echo"))) as lines:
            assert [line.status async for line in lines][-1] == "success"
        parrot = CreateRequest(model="parrot", from_="camelid/echo", parameters={"temperature": 0})
        async with aclosing(services.create(parrot)) as lines:
            assert [line.status async for line in lines][-1] == "success"
        assert {row.model.name.short for row in await services.library.rows()} == {
            "camelid/echo:latest",
            "parrot:latest",
        }
        asked = ChatRequest(model="parrot", messages=(Message(role="user", content="hello"),))
        async with aclosing(services.chat(asked)) as chunks:
            assert "".join([chunk.content async for chunk in chunks]) == "hello"
        assert [model.name for model in services.pool.running()] == ["parrot:latest"]
    assert services.pool.running() == []
    with pytest.raises(ServerBusyError):
        await anext(services.chat(asked))


async def test_settings_that_name_what_is_not_there_are_refused(settings: Settings):
    for wrong, sentence in [
        ({"placement": "moon"}, "no placement 'moon'"),
        ({"registries": ("moon",)}, "no registry 'moon'; the setting registries may name: echo"),
    ]:
        with pytest.raises(ConfigurationError, match=sentence):
            Services(msgspec.structs.replace(settings, plugins=("echo",), **wrong))
