"""Failures in OpenAI's envelope, before and in a stream."""

import pytest

from camelid.api.openai.errors import error_event
from camelid.errors import InvalidOptionError, ModelNotFoundError, ServerBusyError, WorkerDiedError

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENVELOPE = ["message", "type", "param", "code"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_unknown_model(ollama, path, stream):
    body = {"model": "nope", "messages": [{"role": "user", "content": "Hi"}], "prompt": "Hi", "input": "Hi"}
    reply = await ollama.post(path, json={**body, "stream": stream})
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/json"
    assert reply.text.endswith("}}\n")
    error = reply.json()["error"]
    assert list(error) == ENVELOPE
    assert (error["type"], error["param"], error["code"]) == ("not_found_error", None, None)
    assert "not found" in error["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "EOF"),
        (b"[]", "json: cannot unmarshal array into Go value of type api.ChatCompletionRequest"),
        (b"nonsense", "invalid character 'o' in literal null (expecting 'u')"),
        (b'{"model":"echo"}', "[] is too short - 'messages'"),
        (b'{"model":"echo","messages":[{"role":"user"}]}', "invalid message content type: <nil>"),
        (b'{"model":"echo","messages":[{"role":"user","content":5}]}', "invalid message content type: float64"),
        (b'{"model":"echo","messages":[{"role":"user","content":["x"]}]}', "invalid message format"),
        (b'{"messages":[{"role":"user","content":"x"}]}', "model is required"),
    ],
)
async def test_a_request_that_cannot_be_read(ollama, body, message):
    reply = await ollama.post("/v1/chat/completions", content=body)
    assert (reply.status_code, reply.json()["error"]["message"]) == (400, message)
    assert reply.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"n": 0}, "n must be between 1 and 128"),
        ({"tool_choice": "perhaps"}, "invalid tool_choice"),
        ({"tool_choice": "required"}, "a tool call is required, but there are no tools"),
        ({"tools": [{"type": "web_search"}]}, 'tools of type "web_search" are not supported'),
        ({"response_format": {"type": "yaml"}}, 'invalid response_format type: "yaml"'),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema is missing"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "nonsense"}}}},
            "invalid format: ",
        ),
        ({"reasoning_effort": "immense"}, 'invalid reasoning value: "immense" (must be "minimal"'),
        ({"reasoning_effort": "high"}, '"echo" does not support thinking'),
        ({"logit_bias": {"x": 1}}, 'option "logit_bias" must be'),
        ({"options": {"num_ctx": "many"}}, 'option "num_ctx" must be of type integer'),
        ({"top_logprobs": 21}, "top_logprobs must be between 0 and 20"),
    ],
    ids=str,
)
async def test_what_cannot_be(ask, fields, message):
    reply = await ask(**fields)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}], "image URLs are not currently"),
        ([{"type": "image_url", "image_url": "ftp://example.com"}], "invalid image input"),
        ([{"type": "image_url", "image_url": "data:image/png;base64,?"}], "invalid image input: illegal base64"),
        ([{"type": "image_url", "image_url": "data:image/png;base64,AAAA"}], '"echo" does not support images'),
        ([{"type": "input_audio", "input_audio": "x"}], "invalid input_audio format"),
        ([{"type": "input_audio", "input_audio": {}}], "invalid input_audio format: missing data"),
        ([{"type": "file", "file": {}}], "invalid message format"),
    ],
    ids=str,
)
async def test_parts_that_cannot_be_read(ask, content, message):
    reply = await ask(content)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"].startswith(message)


@pytest.mark.parametrize("arguments", ["nonsense", "[]", "1", []])
async def test_arguments_that_are_no_object(ask, arguments):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    reply = await ask(messages=[{"role": "assistant", "tool_calls": [call]}])
    assert (reply.status_code, reply.json()["error"]["message"]) == (400, "invalid tool call arguments")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelNotFoundError("x"), "not_found_error"),
        (InvalidOptionError("x"), "invalid_request_error"),
        (ServerBusyError("x"), "api_error"),
        (WorkerDiedError("x"), "api_error"),
    ],
)
async def test_types_of_errors(error, kind):
    assert error_event(error) == (
        b'data: {"error":{"message":"x","type":"%b","param":null,"code":null}}\n\n' % kind.encode()
    )
