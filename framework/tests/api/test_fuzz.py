"""Whatever a client sends, it is told what is wrong with it; no body may look like a fault of the server."""

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.api.base64_files import decode_files
from camelid.api.body import decode
from camelid.api.ollama.chat import ChatBody
from camelid.api.ollama.create import CreateBody
from camelid.api.ollama.embed import EmbedBody, EmbeddingBody
from camelid.api.ollama.generate import GenerateBody
from camelid.api.ollama.messages import read_messages
from camelid.api.ollama.models import CopyBody, DeleteBody
from camelid.api.ollama.pull import PullBody
from camelid.api.ollama.show import ShowBody
from camelid.api.ollama.tools import read_tools
from camelid.api.ollama.values import parse_think
from camelid.errors import RequestError
from camelid.types.durations import parse_keep_alive

BODIES = (ChatBody, CreateBody, EmbedBody, EmbeddingBody, GenerateBody, CopyBody, DeleteBody, PullBody, ShowBody)
FIELDS = sorted(
    {field for kind in BODIES for field in kind.__struct_encode_fields__}
    | {"role", "content", "tool_calls", "function", "arguments", "parameters", "properties", "type", "anyOf", "items"}
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=30,
)


def status_of(read) -> int:
    try:
        read()
    except RequestError as error:
        return error.status
    return 200


@pytest.mark.parametrize("kind", BODIES)
@given(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON)
def test_any_json_is_a_request_or_a_clients_mistake(kind, value):
    assert status_of(lambda: decode(json.dumps(value).encode(), kind)) in (200, 400)


@given(
    st.dictionaries(st.sampled_from(["messages", "tools"]), st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON)))
)
def test_any_messages_and_tools(value):
    def read() -> None:
        body = decode(json.dumps(value).encode(), ChatBody)
        asyncio.run(read_messages(body.messages))
        read_tools(body.tools)

    assert status_of(read) in (200, 400)


@given(JSON)
def test_any_value(value):
    assert status_of(lambda: parse_think(value)) in (200, 400)
    assert status_of(lambda: parse_keep_alive(value)) in (200, 400)


@given(st.text())
def test_any_image(text):
    assert status_of(lambda: asyncio.run(decode_files([text]))) in (200, 400)


@pytest.mark.parametrize("path", ["generate", "chat", "embed", "embeddings", "show", "copy", "pull", "create"])
@pytest.mark.parametrize("body", ["[]", "1", '"text"', "true", "[null]", "{]", "\0", "nul", "\udcff"])
@pytest.mark.asyncio(loop_scope="module")
async def test_no_body_is_the_servers_fault(ollama, path, body):
    reply = await ollama.post(f"/api/{path}", content=body.encode("utf-8", "surrogateescape"))
    assert reply.status_code == 400
    assert list(reply.json()) == ["error"]
