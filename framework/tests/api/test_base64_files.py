"""Files in requests; that large ones are not decoded at once is proved by what the fixture there forbids."""

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
@pytest.mark.parametrize("at_once", [1, 2, 5, 1 << 17])
async def test_other_files_are_refused_where_go_refuses_them(text, place, at_once, monkeypatch):
    monkeypatch.setattr(base64_files, "_AT_ONCE", at_once)
    with pytest.raises(RequestError) as caught:
        await decode_files([text])
    assert caught.value.message == f"illegal base64 data at input byte {place}"


async def test_nothing_large_is_decoded_at_once():
    with pytest.raises(BlockingError):
        base64_files.b64decode(TEXT, validate=True)
    assert await decode_files([TEXT]) == (LARGE,)


@pytest.mark.parametrize("damage", ["", "é", "\n=", "="])
async def test_between_two_pieces_of_a_file_the_event_loop_does_what_else_is_to_be_done(damage):
    whole = base64.b64encode(LARGE[:99_999] * 20).decode()
    text, turns, ended = whole + damage, 0, False

    async def others() -> None:
        nonlocal turns
        while not ended:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    try:
        await decode_files([text])
    except RequestError as error:
        assert error.message == f"illegal base64 data at input byte {len(text) - 1}"  # noqa: PT017
    else:
        assert damage == ""
    ended = True
    await task
    assert turns >= len(text) // base64_files._AT_ONCE


@pytest.mark.parametrize("size", range(8))
@pytest.mark.parametrize("at_once", [1, 3, 4, 5])
async def test_files_may_be_cut_anywhere(monkeypatch, size, at_once):
    monkeypatch.setattr(base64_files, "_AT_ONCE", at_once)
    text = base64.b64encode(LARGE[:size]).decode()
    for written in (text, f"{text}\n\n\n\n\n\n", f"\r\n\r\n\r\n{text}", "\n".join(text)):
        assert await decode_files([written]) == (LARGE[:size],)
    for place, letter in ((0, "-"), (len(text) // 2, "="), (len(text), "=")):
        with pytest.raises(RequestError):
            await decode_files([text[:place] + letter + text[place:]])


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
