import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from hashlib import sha256

import msgspec
import pytest

from camelid.engine.pool import Pool
from camelid.errors import (
    CamelidError,
    InvalidModelFileError,
    InvalidOptionError,
    ModelNotFoundError,
    PromptTooLongError,
    RemoteModelError,
    RequestError,
    UnsupportedCapabilityError,
)
from camelid.services.chat import Chat, ChatRequest
from camelid.services.loading import Models
from camelid.types.generation import FinishReason, GenerationChunk
from camelid.types.messages import Function, Message, Tool

SHOW = "<|turn|>{{ range .Messages }}[{{ .Role }}]{{ .Content }}{{ end }}<|answer|>"
"""Makes the echo model say all that it was prompted with."""
OUTLINE = (
    "{{ range .Messages }}{{ .Content }}{{ end }}"
    "<|turn|>{{ range .Messages }}[{{ .Role }}]{{ slice .Content 0 1 }}{{ end }}<|answer|>"
)
"""Makes it say who said what, by first letters: short enough to fit beside the prompt."""
THINK = (
    "<|turn|>{{ range .Messages }}"
    "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ .Content }}{{ end }}<|answer|>"
)
PULL_AGAIN = ". Pull the model again to get the latest version with full thinking support"
NO_CLOUD = "ollama cloud is disabled: remote model is unavailable"
TOOLS = "<|turn|>{{ .Tools }}{{ range .Messages }}{{ .Content }}{{ end }}<|answer|>"


@pytest.fixture
def chat(models: Models, pool: Pool) -> Chat:
    return Chat(models, pool)


def request(*contents: str, **fields: object) -> ChatRequest:
    """A request in which user and assistant take turns; the user begins."""
    roles = ("user", "assistant")
    messages = [Message(role=roles[place % 2], content=content) for place, content in enumerate(contents)]
    return msgspec.structs.replace(ChatRequest(model="echo", messages=tuple(messages)), **fields)


async def collect(chunks: AsyncGenerator[GenerationChunk, None]) -> GenerationChunk:
    """All chunks as one."""
    async with aclosing(chunks):
        whole = [chunk async for chunk in chunks]
    assert [chunk.completion is not None for chunk in whole] == [False] * (len(whole) - 1) + [True]
    return GenerationChunk(
        content="".join(chunk.content for chunk in whole),
        thinking="".join(chunk.thinking for chunk in whole),
        logprobs=tuple(logprob for chunk in whole for logprob in chunk.logprobs),
        completion=whole[-1].completion,
    )


async def answer(chat: Chat, asked: ChatRequest) -> str:
    return (await collect(chat(asked))).content


async def test_an_answer_ends_with_reason_and_timings(chat: Chat, add_model):
    add_model()
    whole = await collect(chat(request("hällo")))
    assert whole.content == "hällo"
    assert whole.completion is not None
    assert whole.completion.reason is FinishReason.STOP
    timings = whole.completion.timings
    assert timings.prompt_tokens == len("<") + len("hällo".encode()) + len("<") + 1  # begin, turn, bytes, answer
    assert timings.generated_tokens >= len("hällo".encode())
    assert 0 < timings.load_duration < timings.total_duration
    assert 0 < timings.generation_duration < timings.total_duration


async def test_a_model_that_is_loaded_takes_no_time_to_load(chat: Chat, add_model):
    add_model()
    first, second = await collect(chat(request("a"))), await collect(chat(request("a")))
    assert first.completion is not None
    assert second.completion is not None
    assert second.completion.timings.load_duration < first.completion.timings.load_duration


@pytest.mark.parametrize(
    ("messages", "prompt"),
    [
        ([Message(role="user", content="hi")], "[system]be kind[user]2+2?[assistant]4[user]hi"),
        ([Message(role="system", content="be brief")], "[user]2+2?[assistant]4[system]be brief"),
    ],
)
async def test_the_models_history_and_system_text_come_first(chat: Chat, add_model, messages, prompt):
    history = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    add_model(template=SHOW, system="be kind", messages=history)
    assert await answer(chat, request(messages=tuple(messages))) == prompt


async def test_the_models_parameters_give_way_to_the_requests(chat: Chat, add_model):
    add_model(params={"stop": ["c"], "num_predict": 4})
    assert await answer(chat, request("abcdefgh")) == "ab"
    stopped = (await collect(chat(request("abcdefgh", options={"stop": None})))).completion
    assert stopped is not None
    assert (stopped.reason, stopped.stop) == (FinishReason.STOP, "c")
    whole = await collect(chat(request("abcdefgh", options={"stop": []})))
    assert whole.content == "abcd"
    assert whole.completion is not None
    assert (whole.completion.reason, whole.completion.stop) == (FinishReason.LENGTH, "")


async def test_a_prompt_is_only_counted(chat: Chat, add_model):
    add_model()
    answered = await collect(chat(request("abc", "d", "efg")))
    counted = await collect(chat(request("abc", "d", "efg", count_only=True)))
    assert answered.completion is not None
    assert counted.completion is not None
    assert counted.completion.timings.prompt_tokens == answered.completion.timings.prompt_tokens > 7
    assert (counted.content, counted.completion.timings.generated_tokens) == ("", 0)


async def test_the_oldest_turns_go_until_the_rest_fits(chat: Chat, add_model):
    add_model(template=OUTLINE, system="S", params={"num_ctx": 150})
    turns = [f"{place}" * 20 for place in range(9)]
    assert await answer(chat, request(*turns)) == "[system]S[user]6[assistant]7[user]8"


@pytest.mark.parametrize("length", range(12, 110, 14))
async def test_system_text_and_last_message_stay_whatever_goes(chat: Chat, add_model, length: int):
    add_model(template=OUTLINE, system="S", params={"num_ctx": 150})
    assert await answer(chat, request("o" * 60, "p" * 40, "x" * length)) == "[system]S[user]x"


async def test_a_conversation_that_fits_to_the_last_token_is_left_alone(chat: Chat, add_model):
    add_model(template=SHOW, params={"num_ctx": 64})
    # The prompt is the begin and turn tokens, what is shown, and the answer token; one place is left to answer in.
    contents = ("aaa", "bbb", "c" * (64 - 1 - 3 - len("[user]aaa[assistant]bbb[user]")))
    whole = await collect(chat(request(*contents, options={"num_predict": 1})))
    assert whole.completion is not None
    assert whole.completion.timings.prompt_tokens == 63
    assert whole.content == "["


async def test_nothing_is_left_out_if_the_client_forbids_it(chat: Chat, add_model):
    add_model(template=SHOW, params={"num_ctx": 64})
    with pytest.raises(PromptTooLongError, match="longer than the context length"):
        await answer(chat, request("a" * 40, "b" * 40, "c", truncate=False))


async def test_a_last_message_that_is_too_long_is_refused_without_shift(chat: Chat, add_model):
    add_model(template=SHOW, params={"num_ctx": 64})
    with pytest.raises(PromptTooLongError, match="longer than the context length"):
        await answer(chat, request("a" * 80, shift=False))


async def test_thinking_is_on_for_models_that_can(chat: Chat, add_model):
    add_model(template=THINK)
    whole = await collect(chat(request("<think>hm</think>\n\nyes")))
    assert (whole.thinking, whole.content) == ("hm", "yes")
    whole = await collect(chat(request("<think>hm</think>yes", think="high")))
    assert (whole.thinking, whole.content) == ("hm", "yes")


async def test_thinking_can_be_switched_off(chat: Chat, add_model):
    add_model(template=THINK)
    whole = await collect(chat(request("<think>hm</think>yes", think=False)))
    assert (whole.thinking, whole.content) == ("", "<think>hm</think>yes")


async def test_unfinished_thinking_is_not_lost(chat: Chat, add_model):
    add_model(template=THINK)
    whole = await collect(chat(request("<think>hm </thi")))
    assert (whole.thinking, whole.content) == ("hm </thi", "")


async def test_earlier_thoughts_are_taken_from_qwen3s_answers(chat: Chat, add_model):
    add_model(template=SHOW, model_family="qwen3")
    asked = request("<think>a</think>b", "<think>\nc</think>\nd", "e", "<think>f</think>g")
    assert await answer(chat, asked) == "[user]<think>a</think>b[assistant]d[user]e[assistant]<think>f</think>g"


async def test_tools_reach_the_template(chat: Chat, add_model):
    add_model(template=TOOLS)
    text = await answer(chat, request("hi", tools=(Tool(Function(name="add")),)))
    assert '"name":"add"' in text
    assert text.endswith("hi")


async def test_logprobs_come_with_every_token(chat: Chat, add_model):
    add_model()
    whole = await collect(chat(request("abc", logprobs=True, top_logprobs=2)))
    assert b"".join(logprob.text for logprob in whole.logprobs) == b"abc"
    assert all(len(logprob.top) == 2 and logprob.logprob <= 0 for logprob in whole.logprobs)


async def test_a_request_without_messages_loads(chat: Chat, add_model, pool: Pool):
    add_model()
    whole = await collect(chat(request()))
    assert whole == GenerationChunk(completion=whole.completion)
    assert whole.completion is not None
    assert whole.completion.reason is FinishReason.LOAD
    assert [model.name for model in pool.running()] == ["echo:latest"]


async def test_a_request_without_messages_or_time_to_live_unloads(chat: Chat, add_model, pool: Pool):
    add_model()
    for _loaded in (False, True):
        whole = await collect(chat(request(keep_alive=0.0)))
        assert whole.completion is not None
        assert whole.completion.reason is FinishReason.UNLOAD
        assert pool.running() == []
        await collect(chat(request("load it")))


async def test_closing_the_iterator_frees_sequence_and_model(chat: Chat, add_model, pool: Pool, until):
    add_model()
    slow = {"backend_options": {"delay": 0.05}}
    async with aclosing(chat(request("x" * 3000, keep_alive=0.0, options=slow))) as chunks:
        assert (await anext(chunks)).content
    await until(lambda: not pool.running())  # would take minutes if the answer went on


async def test_cancelling_the_reader_frees_sequence_and_model(chat: Chat, add_model, pool: Pool, until):
    add_model()
    slow = {"backend_options": {"delay": 0.05}}
    task = asyncio.create_task(answer(chat, request("x" * 3000, keep_alive=0.0, options=slow)))
    await until(lambda: bool(pool.running()))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not pool.running())


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request("hi", top_logprobs=21), RequestError("top_logprobs must be between 0 and 20")),
        (request("hi", model=""), RequestError("model is required")),
        (request("hi", model="no/such"), ModelNotFoundError("model 'no/such' not found")),
        (request("hi", model="a b"), RequestError("invalid model name")),
        (request("hi", model="gpt-oss:cloud"), RemoteModelError(NO_CLOUD)),
        (request("hi", think=True), UnsupportedCapabilityError('"echo" does not support thinking')),
        (
            request("hi", tools=(Tool(Function(name="add")),)),
            UnsupportedCapabilityError("registry.ollama.ai/library/echo:latest does not support tools"),
        ),
        (
            request("hi", options={"num_ctx": "4"}),
            InvalidOptionError('option "num_ctx" must be of type integer'),
        ),
        (
            request("hi", format="xml"),
            InvalidOptionError('invalid format: "\\"xml\\""; expected "json" or a valid JSON Schema object'),
        ),
    ],
)
async def test_requests_that_cannot_be_answered(chat: Chat, add_model, pool: Pool, asked, expected):
    add_model()
    with pytest.raises(type(expected)) as caught:
        await answer(chat, asked)
    assert (type(caught.value), caught.value.message) == (type(expected), expected.message)
    assert pool.running() == []


SEEN = "<|turn|>{{ range .Messages }}{{ .Content }}{{ end }}<|answer|>"
"""Makes the echo model say what it was shown."""
ONE, TWO = (b"\x89PNG\r\n\x1a\n" + name for name in (b"one", b"two"))
"""What the echo model takes for pictures."""


def words(file: bytes) -> str:
    """What the echo model sees in a picture."""
    return f"[picture {sha256(file).hexdigest()[:8]}]"


async def test_pictures_stand_where_the_message_says_else_in_front(chat: Chat, add_model):
    add_model(template=SEEN, capabilities=["vision"])
    asked = (Message(role="user", content="see [img] and", images=(ONE, TWO)),)
    assert await answer(chat, request("", messages=asked)) == f"{words(TWO)}see {words(ONE)} and"
    asked = (
        Message(role="user", content="a", images=(ONE,)),
        Message(role="assistant", content="b"),
        Message(role="user", content="c", images=(TWO, ONE)),
    )
    assert await answer(chat, request("", messages=asked)) == f"{words(ONE)}ab{words(TWO)}{words(ONE)}c"


async def test_pictures_leave_with_their_messages(chat: Chat, add_model):
    add_model(template=SEEN, capabilities=["vision"])
    asked = tuple(Message(role="user", content=f"{turn}", images=(ONE,)) for turn in range(4))
    options = {"num_ctx": 2 * 768 + 100}
    assert await answer(chat, request("", messages=asked, options=options)) == f"{words(ONE)}2\n\n{words(ONE)}3"


async def test_what_looks_like_a_picture_in_a_text_is_text(chat: Chat, add_model):
    add_model(template=SEEN, capabilities=["vision"])
    asked = (Message(role="user", content="[img] [img-0] [img]", images=(ONE,)),)
    assert await answer(chat, request("", messages=asked)) == f"{words(ONE)} [img-0] [img]"


async def test_a_render_shows_numbered_places(chat: Chat, add_model):
    add_model(template=SEEN, capabilities=["vision"])
    asked = (Message(role="user", content="see", images=(ONE, TWO)),)
    chunks = [chunk async for chunk in chat(request("", messages=asked, render_only=True))]
    assert [(chunk.prompt, chunk.images) for chunk in chunks] == [("<|turn|>[img-0][img-1]see<|answer|>", 2)]


async def test_a_template_that_drops_a_picture_is_told_of(chat: Chat, add_model):
    add_model(template="{{ range .Messages }}{{ .Role }}{{ end }}<|answer|>", capabilities=["vision"])
    with pytest.raises(RequestError, match="no place for one of the pictures"):
        await answer(chat, request("", messages=(Message(role="user", images=(ONE,)),)))


async def test_a_model_without_eyes_refuses_pictures(chat: Chat, add_model):
    add_model()
    with pytest.raises(UnsupportedCapabilityError, match="does not support images"):
        await answer(chat, request("", messages=(Message(role="user", images=(ONE,)),)))


async def test_a_backend_without_eyes_refuses_pictures(chat: Chat, add_model):
    add_model(capabilities=["vision"])
    asked = (Message(role="user", images=(ONE,)),)
    with pytest.raises(UnsupportedCapabilityError, match="does not support vision"):
        await answer(chat, request("", messages=asked, options={"backend_options": {"tier": "engine"}}))


async def test_a_file_that_is_no_picture_is_refused(chat: Chat, add_model):
    add_model(capabilities=["vision"])
    with pytest.raises(RequestError, match="PNG and JPEG"):
        await answer(chat, request("", messages=(Message(role="user", images=(b"GIF89a",)),)))
    assert await answer(chat, request("still here")) == "still here"


async def test_an_answer_is_held_to_its_format(chat: Chat, add_model):
    add_model()
    schema = {
        "type": "object",
        "properties": {"say": {"const": "hi"}},
        "required": ["say"],
        "additionalProperties": False,
    }
    assert json.loads(await answer(chat, request("no JSON", format=schema))) == {"say": "hi"}
    assert (await answer(chat, request("no JSON", format="json", options={"num_predict": 20}))).startswith("{")


async def test_thoughts_before_an_answer_in_a_format_are_free(chat: Chat, add_model):
    add_model(template=THINK)
    schema = {"const": "yes"}
    whole = await collect(chat(request("<think>hm</think>no", format=schema)))
    assert (whole.thinking, whole.content) == ("hm", '"yes"')
    whole = await collect(chat(request("<think>hm</think>no", format=schema, think=False)))
    assert (whole.thinking, whole.content) == ("", '"yes"')


async def test_a_faulty_schema_is_the_clients_error(chat: Chat, add_model):
    add_model()
    with pytest.raises(RequestError) as caught:
        await answer(chat, request("hi", format={"type": "strange"}))
    assert caught.value.message == "invalid format: Invalid type: strange"


@pytest.mark.parametrize("nothing", [None, ""])
async def test_an_empty_format_is_none(chat: Chat, add_model, nothing):
    add_model()
    assert await answer(chat, request("hi", format=nothing)) == "hi"


async def test_models_that_cannot_chat_say_so(chat: Chat, add_model):
    add_model(capabilities=["embedding"])
    add_model("deepseek-r1")
    add_model("stub", remote_host="https://ollama.com")
    for model, message in [
        ("echo", '"echo" does not support chat'),
        (
            "deepseek-r1",
            '"deepseek-r1" does not support thinking' + PULL_AGAIN,
        ),
        ("stub", NO_CLOUD),
    ]:
        with pytest.raises(CamelidError) as caught:
            await answer(chat, request("hi", model=model, think=True if model == "deepseek-r1" else None))
        assert caught.value.message == message


async def test_broken_models_fail_alone(chat: Chat, add_model):
    add_model()
    add_model("broken", content=b"no echo")
    add_model("truncated", content=b"GGUF" + b"\0" * 10, model_format="echo")
    for model in ("broken", "truncated"):
        with pytest.raises(InvalidModelFileError):
            await answer(chat, request("hi", model=model))
    assert await answer(chat, request("hi")) == "hi"


async def test_a_template_that_fails_is_an_error_and_the_model_lives_on(chat: Chat, add_model):
    add_model()
    add_model("bad", template="{{ range .Messages }}{{ index .Content 99 }}{{ end }}")
    with pytest.raises(CamelidError) as caught:
        await answer(chat, request("hi", model="bad"))
    assert caught.value.message
    assert await answer(chat, request("hi")) == "hi"
