import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def tokens(client, **fields):
    return (await client.post("/api/tokenize", json={"model": "echo", **fields})).json()["tokens"]


async def test_a_text_and_back(ollama):
    reply = await ollama.post("/api/tokenize", json={"model": "echo", "content": "añ"})
    assert list(reply.json()) == ["model", "tokens", "total_duration", "load_duration"]
    assert (reply.json()["model"], reply.json()["tokens"]) == ("echo", [*"añ".encode()])
    back = await ollama.post("/api/detokenize", json={"model": "echo", "tokens": reply.json()["tokens"]})
    assert list(back.json()) == ["model", "content", "text", "total_duration", "load_duration"]
    assert (back.json()["content"], back.json()["text"]) == ("añ", "añ")


async def test_the_text_has_two_names(ollama):
    assert await tokens(ollama, text="ab") == await tokens(ollama, content="ab") == [97, 98]


async def test_special_tokens(ollama):
    assert await tokens(ollama, content="a", add_special=True) == [256, 97, 258]
    control = await tokens(ollama, content="<|turn|>")
    assert len(control) == 1
    assert await tokens(ollama, content="<|turn|>", parse_special=False) == [*b"<|turn|>"]


async def test_nothing_is_no_token(ollama):
    assert await tokens(ollama) == []
    reply = await ollama.post("/api/detokenize", json={"model": "echo"})
    assert reply.json()["content"] == ""


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("tokenize", {}, 400, "model is required"),
        ("detokenize", {}, 400, "model is required"),
        ("tokenize", {"model": "nope"}, 404, "model 'nope' not found"),
        ("detokenize", {"model": "nope"}, 404, "model 'nope' not found"),
        (
            "tokenize",
            {"model": "echo", "content": 1},
            400,
            "json: cannot unmarshal number into Go struct field TokenizeRequest.content of type string",
        ),
        ("detokenize", {"model": "echo", "tokens": [-1]}, 400, "token -1 is in no model's vocabulary"),
        ("detokenize", {"model": "echo", "tokens": [2**62]}, 400, f"token {2**62} is in no model's vocabulary"),
        (
            "detokenize",
            {"model": "echo", "tokens": [9999]},
            400,
            "token 9999 is not in this model's vocabulary of 260 tokens",
        ),
    ],
)
async def test_errors(ollama, path, body, status, error):
    reply = await ollama.post(f"/api/{path}", json=body)
    assert (reply.status_code, reply.json()) == (status, {"error": error})
