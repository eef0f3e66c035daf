from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import sha256

import msgspec
import pytest

from camelid.engine.pool import Pool
from camelid.errors import ModelError, ModelNotFoundError, PromptTooLongError, RequestError, UnsupportedCapabilityError
from camelid.services.generate import Generate, GenerateRequest
from camelid.services.loading import Models
from camelid.types.generation import FinishReason, GenerationChunk

SHOW = "<|turn|>{{ range .Messages }}[{{ .Role }}]{{ .Content }}{{ end }}<|answer|>"
"""Makes the echo model say all that it was prompted with."""
GAP = "<|turn|>{{ if .Suffix }}{{ .Suffix }}-{{ .Prompt }}{{ else }}{{ .Prompt }}{{ end }}<|answer|>"


@pytest.fixture
def generate(models: Models, pool: Pool) -> Generate:
    return Generate(models, pool)


def request(prompt: str, **fields: object) -> GenerateRequest:
    return msgspec.structs.replace(GenerateRequest(model="echo", prompt=prompt), **fields)


async def collect(chunks: AsyncGenerator[GenerationChunk, None]) -> GenerationChunk:
    """All chunks as one."""
    async with aclosing(chunks):
        whole = [chunk async for chunk in chunks]
    return GenerationChunk(
        content="".join(chunk.content for chunk in whole),
        thinking="".join(chunk.thinking for chunk in whole),
        completion=whole[-1].completion,
    )


async def answer(generate: Generate, asked: GenerateRequest) -> str:
    return (await collect(generate(asked))).content


async def test_prompts_are_rendered_like_chats(generate: Generate, add_model):
    history = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    add_model(template=SHOW, system="be kind", messages=history)
    assert await answer(generate, request("hi")) == "[system]be kind[user]2+2?[assistant]4[user]hi"
    assert await answer(generate, request("hi", system="be brief")) == "[system]be brief[user]2+2?[assistant]4[user]hi"


async def test_the_request_may_bring_its_own_template(generate: Generate, add_model):
    add_model()
    template = "{{ .System }}<|turn|>({{ .System }}){{ .Prompt }}!<|answer|>{{ .Response }}"
    assert await answer(generate, request("hi", template=template, system="S")) == "(S)hi!"


async def test_a_template_that_is_too_long_is_the_clients_mistake(generate: Generate, add_model):
    add_model()
    with pytest.raises(RequestError, match="send a shorter one") as caught:
        await collect(generate(request("hi", template="x" * 20_001)))
    assert caught.value.status == 400


async def test_raw_prompts_are_left_alone(generate: Generate, add_model):
    add_model(template=SHOW, system="be kind")
    whole = await collect(generate(request("first<|turn|>then", raw=True)))
    assert whole.content == "then"
    assert whole.completion is not None
    assert whole.completion.context == ()


async def test_raw_answers_are_left_alone_too(generate: Generate, add_model):
    thinking = "{{ range .Messages }}{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}"
    add_model(template=thinking + "<|answer|>")
    assert await answer(generate, request("<think>a</think>b", raw=True)) == "<think>a</think>b"
    whole = await collect(generate(request("<think>a</think>b")))
    assert (whole.thinking, whole.content) == ("a", "b")


async def test_the_gap_is_filled_by_the_templates_own_form(generate: Generate, add_model):
    add_model(template=GAP, system="never seen")
    assert await answer(generate, request("def f(", suffix="return 1")) == "return 1-def f("


async def test_raw_prompts_with_a_suffix_need_a_model_that_fills_gaps(generate: Generate, add_model):
    add_model()
    with pytest.raises(UnsupportedCapabilityError, match="does not support insert"):
        await collect(generate(request("x", raw=True, suffix="y")))
    add_model(template=GAP)
    assert await answer(generate, request("x<|turn|>z", raw=True, suffix="y")) == "z"


async def test_models_that_draw_are_refused_in_ollamas_words(generate: Generate, add_model):
    add_model(capabilities=["image"])
    with pytest.raises(UnsupportedCapabilityError, match="image generation models are not"):
        await collect(generate(request("a cat")))
    assert (await collect(generate(request("", keep_alive=0)))).completion is not None


async def test_an_empty_context_is_one_and_replaces_the_models_history(generate: Generate, add_model):
    add_model(template=SHOW, messages=[{"role": "assistant", "content": "history"}])
    assert await answer(generate, request("one", context=())) == "[user]one"
    assert await answer(generate, request("one")) == "[assistant]history[user]one"


async def test_a_context_continues_the_conversation(generate: Generate, add_model):
    template = "{{ range .Messages }}[{{ .Role }}]{{ .Content }}{{ end }}<|answer|>"
    add_model(template=template, messages=[{"role": "assistant", "content": "history"}])
    first = await collect(generate(request("one")))
    assert first.content == "[assistant]history[user]one"
    assert first.completion is not None
    assert len(first.completion.context) == 2 + 2 * len(first.content)
    second = await collect(generate(request("<|turn|>two", context=first.completion.context)))
    assert second.content == "two"
    assert second.completion is not None
    assert second.completion.timings.prompt_tokens == len(first.completion.context) + len("[user]two") + 2
    assert second.completion.context[: len(first.completion.context)] == first.completion.context


@pytest.mark.parametrize("token", [-1, 260, 2**31])
async def test_a_context_of_another_model_is_refused(generate: Generate, add_model, token: int):
    add_model()
    with pytest.raises(RequestError, match=f"token {token} is not in this model's vocabulary"):
        await answer(generate, request("hi", context=(256, token)))


async def test_the_models_history_goes_if_it_does_not_fit(generate: Generate, add_model):
    history = [{"role": "user", "content": "q" * 40}, {"role": "assistant", "content": "a" * 40}]
    add_model(template=SHOW, messages=history, params={"num_ctx": 64})
    assert await answer(generate, request("hi")) == "[user]hi"


async def test_raw_prompts_that_are_too_long_are_refused_if_nothing_may_be_cut(generate: Generate, add_model):
    add_model(params={"num_ctx": 64})
    with pytest.raises(PromptTooLongError):
        await answer(generate, request("x" * 100, raw=True, truncate=False))


async def test_an_empty_prompt_loads_whatever_else_is_sent(generate: Generate, add_model, pool: Pool):
    add_model()
    whole = await collect(generate(request("", system="S", images=(b"\x89PNG",), format="json")))
    assert whole.completion is not None
    assert whole.completion.reason is FinishReason.LOAD
    assert [model.name for model in pool.running()] == ["echo:latest"]


async def test_an_empty_prompt_without_time_to_live_unloads(generate: Generate, add_model, pool: Pool):
    add_model()
    await answer(generate, request("hi"))
    whole = await collect(generate(request("", keep_alive=0.0)))
    assert whole.completion is not None
    assert whole.completion.reason is FinishReason.UNLOAD
    assert pool.running() == []


async def test_a_prompt_without_time_to_live_is_answered_first(generate: Generate, add_model, pool: Pool, until):
    add_model()
    assert await answer(generate, request("hi", keep_alive=0.0)) == "hi"
    await until(lambda: not pool.running())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("hi", top_logprobs=-1), RequestError("top_logprobs must be between 0 and 20")),
        (request("hi", model=""), ModelNotFoundError("model '' not found")),
        (request("hi", model="no/such"), ModelNotFoundError("model 'no/such' not found")),
        (
            request("hi", raw=True, system="S"),
            RequestError("raw mode does not support template, system, or context"),
        ),
        (request("hi", think="low"), UnsupportedCapabilityError('"echo" does not support thinking')),
        (
            request("hi", suffix="ho"),
            UnsupportedCapabilityError("registry.ollama.ai/library/echo:latest does not support insert"),
        ),
        (
            request("hi", model="embedder"),
            UnsupportedCapabilityError('"embedder" does not support generate'),
        ),
    ],
)
async def test_requests_that_cannot_be_answered(generate: Generate, add_model, pool: Pool, asked, expected):
    add_model()
    add_model("embedder", capabilities=["embedding"])
    with pytest.raises(type(expected)) as caught:
        await answer(generate, asked)
    assert (type(caught.value), caught.value.message) == (type(expected), expected.message)
    assert pool.running() == []


async def test_a_template_that_is_none_is_refused_before_anything_is_loaded(generate: Generate, add_model, pool: Pool):
    add_model()
    with pytest.raises(ModelError, match="template"):
        await answer(generate, request("hi", template="{{ .Prompt"))
    assert pool.running() == []


async def test_images_are_refused_not_ignored(generate: Generate, add_model):
    add_model()
    with pytest.raises(UnsupportedCapabilityError, match="missing data required for image input"):
        await answer(generate, request("hi", images=(b"\x89PNG",)))


async def test_pictures_come_before_the_prompt_also_in_raw_ones(generate: Generate, add_model):
    add_model(template=SHOW, capabilities=["vision"])
    file = b"\x89PNG\r\n\x1a\n..."
    words = f"[picture {sha256(file).hexdigest()[:8]}]"
    assert await answer(generate, request("hi", images=(file,))) == f"[user]{words}hi"
    assert await answer(generate, request("a[img]b<|answer|>", images=(file,), raw=True)) == f"a{words}b"


async def test_a_conversation_goes_on_with_a_picture(generate: Generate, add_model):
    add_model(template="{{ range .Messages }}<|turn|>{{ .Content }}{{ end }}<|answer|>", capabilities=["vision"])
    first = await collect(generate(request("one")))
    assert first.completion is not None
    asked = request("two", context=first.completion.context, images=(b"\xff\xd8\xff",))
    second = await collect(generate(asked))
    assert second.content.startswith("[picture ")
    assert second.completion is not None
    assert second.completion.context[: len(first.completion.context)] == first.completion.context
    assert min(second.completion.context) >= 0


async def test_a_gap_has_no_place_for_pictures(generate: Generate, add_model):
    add_model(template=GAP, capabilities=["vision", "insert"])
    with pytest.raises(RequestError, match="images or suffix"):
        await answer(generate, request("a", suffix="b", images=(b"\xff\xd8\xff",)))
