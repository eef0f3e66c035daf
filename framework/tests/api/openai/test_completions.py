"""Completions over a socket, with the echo model, which says what it was told."""

import json

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def complete(ollama):
    async def send(prompt="one two three", **fields):
        return await ollama.post(
            "/v1/completions", json={"model": "echo", "prompt": prompt, "temperature": 0, **fields}
        )

    return send


def tokens_of(text):
    return list(text.encode())


async def test_an_answer(complete):
    answer = (await complete()).json()
    assert list(answer) == ["id", "object", "created", "model", "system_fingerprint", "choices", "usage"]
    assert answer["object"] == "text_completion"
    assert answer["choices"] == [{"text": "one two three", "index": 0, "finish_reason": "stop"}]
    assert answer["usage"]["completion_tokens"] == len("one two three")


async def test_a_stream(complete, events):
    pieces = events(await complete(stream=True))
    assert all(piece["object"] == "text_completion" and "usage" not in piece for piece in pieces)
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == "one two three"
    assert [piece["choices"][0]["finish_reason"] for piece in pieces] == [None] * (len(pieces) - 1) + ["stop"]


async def test_a_raw_prompt_goes_around_the_template(complete):
    counts = [(await complete("one", raw=raw)).json()["usage"]["prompt_tokens"] for raw in (True, False)]
    around = len(["<begin>", "<answer>"])
    assert counts == [around + len("one"), around + len("one") + len("user") + len(["<turn>"])]


async def test_usage_in_a_stream(complete, events):
    *pieces, last = events(await complete(stream=True, stream_options={"include_usage": True}))
    assert all(not any(piece["usage"].values()) for piece in pieces)
    assert last["choices"] == []
    assert last["usage"] == (await complete()).json()["usage"]


async def test_no_prompt_loads(complete):
    (choice,) = (await complete(None)).json()["choices"]
    assert choice == {"text": "", "index": 0, "finish_reason": "load"}


async def test_several_prompts_and_several_answers(complete, events):
    answer = (await complete(["a", "b"], n=2)).json()
    assert [(choice["index"], choice["text"]) for choice in answer["choices"]] == list(enumerate("aabb"))
    alone = [(await complete(text)).json()["usage"]["prompt_tokens"] for text in "ab"]
    assert answer["usage"]["prompt_tokens"] == sum(alone)
    said = dict.fromkeys(range(4), "")
    for piece in events(await complete(["a", "b"], n=2, stream=True)):
        said[piece["choices"][0]["index"]] += piece["choices"][0]["text"]
    assert said == dict(enumerate("aabb"))


@pytest.mark.parametrize("several", [True, False])
async def test_token_ids_reach_the_model_as_they_are(ollama, complete, several):
    ids = (await ollama.post("/api/tokenize", json={"model": "echo", "content": "<|turn|>ab<|answer|>"})).json()[
        "tokens"
    ]
    reply = (await complete([ids] if several else ids, echo=True)).json()
    assert reply["usage"]["prompt_tokens"] == len(ids)
    text = reply["choices"][0]["text"]
    assert text.endswith("ab")


@pytest.mark.parametrize("stream", [True, False])
async def test_echo(complete, events, stream):
    reply = await complete("ab", echo=True, stream=stream)
    pieces = events(reply) if stream else [reply.json()]
    assert "".join(piece["choices"][0]["text"] for piece in pieces) == "abab"


async def test_a_suffix(ollama, complete):
    template = "{{ if .Suffix }}<|turn|>{{ .Prompt }}_{{ .Suffix }}<|answer|>{{ else }}{{ .Prompt }}{{ end }}"
    body = {"model": "gap", "from": "echo", "template": template, "stream": False}
    (await ollama.post("/api/create", json=body)).raise_for_status()
    assert (await complete("a", model="gap", suffix="b")).json()["choices"][0]["text"] == "a_b"
    assert (await complete("a", suffix="b")).status_code == 400


async def test_logprobs(complete, events):
    (choice,) = (await complete("ab", logprobs=2)).json()["choices"]
    logprobs = choice["logprobs"]
    assert logprobs["tokens"] == ["a", "b"]
    assert logprobs["text_offset"] == [0, 1]
    assert [top[token] for top, token in zip(logprobs["top_logprobs"], "ab", strict=True)] == logprobs["token_logprobs"]
    assert all(len(top) == 2 for top in logprobs["top_logprobs"])
    pieces = [piece["choices"][0].get("logprobs") for piece in events(await complete("ab", logprobs=0, stream=True))]
    assert [token for piece in pieces if piece for token in piece["tokens"]] == ["a", "b"]
    assert [offset for piece in pieces if piece for offset in piece["text_offset"]] == [0, 1]


async def test_the_best_of_several(complete):
    fields = {"temperature": 2.0, "seed": 3, "max_tokens": 4}
    (best,) = (await complete("abcd", best_of=4, **fields)).json()["choices"]
    made = (await complete("abcd", n=4, logprobs=0, **fields)).json()["choices"]
    likely = max(made, key=lambda choice: sum(choice["logprobs"]["token_logprobs"]))
    assert best == {"text": likely["text"], "index": 0, "finish_reason": likely["finish_reason"]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"stop": [1]}, "invalid type for 'stop' field: float64"),
        ({"prompt": {}}, "invalid prompt: it must be a text, token ids, or a list of either"),
        ({"prompt": []}, "invalid prompt: it must be a text, token ids, or a list of either"),
        ({"prompt": ["a", 1]}, "invalid prompt: it must be a text, token ids, or a list of either"),
        ({"prompt": [-1]}, "invalid prompt: it must be a text, token ids, or a list of either"),
        ({"prompt": [999_999]}, "token 999999 is not in this model's vocabulary of"),
        ({"n": 0}, "n must be between 1 and 128"),
        ({"n": 3, "best_of": 2}, "best_of must not be less than n"),
        ({"best_of": 2, "stream": True}, "the best of several answers cannot be streamed"),
        ({"echo": True, "logprobs": 1}, "there are no log-probabilities of prompts"),
        ({"prompt": ["a"] * 129}, "the number of prompts times that of answers to each must be between 1 and 128"),
        ({"logprobs": 21}, "top_logprobs must be between 0 and 20"),
        ({"temperature": "warm"}, "json: cannot unmarshal string into Go struct field CompletionRequest.temperature"),
    ],
    ids=str,
)
async def test_what_cannot_be(complete, fields, message):
    reply = await complete(**fields)
    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["message"].startswith(message)
    assert error["type"] == "invalid_request_error"


async def test_thinking_is_left_out(ollama, complete, events):
    template = (
        "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}<|turn|>{{ .Content }}{{ end }}"
        "<|answer|>"
    )
    body = {"model": "thinks", "from": "echo", "template": template, "stream": False}
    (await ollama.post("/api/create", json=body)).raise_for_status()
    said = "<think>hm</think>So"
    assert (await complete(said, model="thinks")).json()["choices"][0]["text"] == "So"
    pieces = events(await complete(said, model="thinks", stream=True))
    assert "hm" not in json.dumps(pieces)
