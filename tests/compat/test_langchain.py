"""LangChain's chat models over both dialects: what agents are built from."""

import asyncio
from collections.abc import Callable, Iterator

import httpx
import ollama
import openai
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

MODEL = "smollm2:135m"
TOOLED = (
    "{{ if .Tools }}{{ .Tools }}{{ end }}{{ range .Messages }}{{ .Role }}"
    "{{ if .ToolCalls }}<tool_call>{{ range .ToolCalls }}{{ .Function }}{{ end }}</tool_call>{{ end }}"
    "<|turn|>{{ .Content }}{{ end }}<|answer|>"
)
"""Of a model that says what it was told last, and takes tools in the way of Hermes."""
QUESTION = "What is the capital of France? Answer with one word."


class Person(BaseModel):
    """A person."""

    name: str = Field(max_length=20)
    age: int = Field(ge=0, le=120)


@tool
def weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"It is sunny in {city}."


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """LangChain's OpenAI classes leave their connections open, unless these are somebody else's."""
    with httpx.Client() as client:
        yield client


@pytest.fixture
def ollama_chat(server) -> Iterator[Callable[..., ChatOllama]]:
    models = []

    def build(tokens: int) -> ChatOllama:
        models.append(ChatOllama(model=MODEL, base_url=server.url, temperature=0, num_predict=tokens))
        return models[-1]

    yield build
    for model in models:
        model._client.close()


@pytest.fixture
def openai_chat(server, http) -> Callable[..., ChatOpenAI]:
    def build(tokens: int) -> ChatOpenAI:
        url = f"{server.url}/v1"
        return ChatOpenAI(
            model=MODEL,
            base_url=url,
            api_key="none",
            temperature=0,
            max_completion_tokens=tokens,
            http_client=http,
        )

    return build


@pytest.fixture(params=["ollama", "openai"])
def chat(request) -> Callable[..., BaseChatModel]:
    build = request.getfixturevalue(f"{request.param}_chat")
    return lambda tokens=40: build(tokens)


def test_a_question_has_an_answer(chat):
    answer = chat().invoke([HumanMessage(QUESTION)])
    assert "Paris" in answer.content
    assert answer.usage_metadata["input_tokens"] > 10
    assert answer.usage_metadata["output_tokens"] > 0


def test_the_stream_says_the_same(chat):
    pieces = list(chat().stream([HumanMessage(QUESTION)]))
    assert len(pieces) > 2
    assert "".join(piece.content for piece in pieces) == chat().invoke([HumanMessage(QUESTION)]).content


def test_structured_output_is_of_its_class(chat):
    model = chat(80).with_structured_output(Person, method="json_schema")
    person = model.invoke([HumanMessage("Invent a person.")])
    assert isinstance(person, Person)


def test_an_agent_calls_a_tool_that_it_must_and_goes_on(openai_chat):
    model = openai_chat(60)
    asked = HumanMessage("How is the weather in Oslo?")
    called = model.bind_tools([weather], tool_choice="weather").invoke([asked])
    (call,) = called.tool_calls
    assert call["name"] == "weather"
    assert isinstance(call["args"]["city"], str)
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    answer = model.invoke([asked, called, result])
    assert isinstance(answer, AIMessage)
    assert answer.content


def test_a_forced_call_in_a_stream(openai_chat):
    model = openai_chat(60).bind_tools([weather], tool_choice="required", parallel_tool_calls=False)
    pieces = list(model.stream([HumanMessage("How is the weather in Oslo?")]))
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    (call,) = whole.tool_calls
    assert call["name"] == "weather"
    assert isinstance(call["args"]["city"], str)


def test_structured_output_through_a_forced_call(openai_chat):
    model = openai_chat(80).with_structured_output(Person, method="function_calling")
    assert isinstance(model.invoke([HumanMessage("Invent a person.")]), Person)


def test_the_responses_api(openai_chat):
    model = openai_chat(60)
    model.use_responses_api = True
    assert "Paris" in model.invoke([HumanMessage(QUESTION)]).text
    assert "Paris" in "".join(piece.text for piece in model.stream([HumanMessage(QUESTION)]))
    called = model.bind_tools([weather], tool_choice="weather").invoke([HumanMessage("How is Oslo?")])
    assert [call["name"] for call in called.tool_calls] == ["weather"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_agents_loop_with_tools_that_the_model_chose(server, stream):
    server.post("/api/pull", model="camelid/echo", stream=False).raise_for_status()
    server.post("/api/create", **{"model": "tooled", "from": "camelid/echo"}, template=TOOLED).raise_for_status()
    chat = ChatOllama(model="tooled", base_url=server.url)
    model = chat.bind_tools([weather])

    def turn(messages: list[BaseMessage]) -> AIMessage:
        if not stream:
            return model.invoke(messages)
        first, *others = model.stream(messages)
        for piece in others:
            first += piece
        return first

    messages: list[BaseMessage] = [
        HumanMessage('<tool_call>{"name":"weather","arguments":{"city":"Oslo"}}</tool_call>')
    ]
    called = turn(messages)
    (call,) = called.tool_calls
    assert (call["name"], call["args"], called.content) == ("weather", {"city": "Oslo"}, "")
    messages += [called, ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])]
    answer = turn(messages)
    assert (answer.content, answer.tool_calls) == ("It is sunny in Oslo.", [])
    chat._client.close()


def test_errors(server, http):
    missing = ChatOllama(model="nope", base_url=server.url)
    with pytest.raises(ollama.ResponseError, match="model 'nope' not found"):
        missing.invoke("hi")
    missing._client.close()
    chat = ChatOpenAI(model="nope", base_url=f"{server.url}/v1", api_key="none", http_client=http, max_retries=0)
    with pytest.raises(openai.NotFoundError, match="model 'nope' not found"):
        list(chat.stream("hi"))


async def test_an_answer_that_nobody_waits_for_frees_its_place(server):
    """With four places, nine abandoned answers without an end would block whoever comes next."""
    chat = ChatOllama(model=MODEL, base_url=server.url, num_predict=4000)
    short = ChatOllama(model=MODEL, base_url=server.url, num_predict=2)
    stories = [asyncio.create_task(chat.ainvoke("Tell me a very long story.")) for _ in range(8)]
    first = chat.astream("Tell me a very long story.")
    await anext(first)
    await first.aclose()
    for story in stories:
        story.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*stories, return_exceptions=True)
    )
    async with asyncio.timeout(60):
        answer = await short.ainvoke("hi")
    assert answer.usage_metadata["output_tokens"] <= 2
    for client in (chat, short):
        client._client.close()
        await client._async_client.close()


def test_embeddings_of_both_agree(server, http):
    ollama = OllamaEmbeddings(model=MODEL, base_url=server.url)
    openai = OpenAIEmbeddings(
        model=MODEL,
        base_url=f"{server.url}/v1",
        api_key="none",
        check_embedding_ctx_length=False,
        http_client=http,
    )
    texts = ["a llama", "an alpaca"]
    one, other = ollama.embed_documents(texts), openai.embed_documents(texts)
    ollama._client.close()
    assert [len(vector) for vector in one] == [576, 576]
    for vector, same in zip(one, other, strict=True):
        assert vector == pytest.approx(same, abs=1e-4)
