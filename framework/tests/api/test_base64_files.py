"""Files in requests; that large ones are not decoded on the event loop is proved by what the fixture there forbids."""

import asyncio
import base64
import os

import pytest
from blockbuster import BlockingError
from hypothesis import given
from hypothesis import strategies as st

from camelid.api import base64_files
from camelid.api.base64_files import decode_files
from camelid.errors import RequestError

LARGE = os.urandom(100_000)
TEXT = base64.b64encode(LARGE).decode()


@given(st.binary())
def test_files_are_base64(content):
    text = base64.b64encode(content).decode()
    broken_into_lines = "\r\n".join(text[place : place + 4] for place in range(0, len(text), 4))
    assert asyncio.run(decode_files([text, broken_into_lines])) == (content, content)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("data:image/png;base64,AAEC", 4),
        ("AA-_", 2),
        ("AAE", 0),
        ("AAECA", 4),
        ("AAECAA=", 7),
        ("AA=A", 2),
        ("AA==A", 4),
        ("AA=\n=\nA", 6),
        ("AAA=A", 4),
        ("AAAA=", 4),
        ("AAAA====", 4),
        ("A===", 1),
        ("=", 0),
        ("é", 0),
        ("AA\nEéA", 4),
    ],
)
async def test_other_files_are_refused_where_go_refuses_them(text, place):
    with pytest.raises(RequestError) as caught:
        await decode_files([text])
    assert caught.value.message == f"illegal base64 data at input byte {place}"


async def test_the_event_loop_decodes_no_large_file():
    with pytest.raises(BlockingError):
        base64_files._decode_all([TEXT])
    assert await decode_files([TEXT]) == (LARGE,)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/generate", {"prompt": "look", "images": [TEXT]}),
        ("/api/chat", {"messages": [{"role": "user", "content": "look", "images": [TEXT]}]}),
        (
            "/v1/chat/completions",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{TEXT}"}},
                            {"type": "input_audio", "input_audio": {"data": TEXT}},
                        ],
                    }
                ]
            },
        ),
        (
            "/v1/responses",
            {
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_image", "image_url": f"data:image/png;base64,{TEXT}"},
                        ],
                    }
                ]
            },
        ),
        (
            "/v1/messages",
            {
                "max_tokens": 9,
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "image", "source": {"type": "base64", "data": TEXT}},
                        ],
                    }
                ],
            },
        ),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_every_dialect_takes_large_files_without_holding_up_the_others(ollama, path, body):
    reply = await ollama.post(path, json={"model": "echo", **body})
    assert (reply.status_code, "does not support images" in reply.text) == (400, True), reply.text
