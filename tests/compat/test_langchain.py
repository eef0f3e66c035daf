"""LangChain's chat models over both dialects: what agents are built from."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, Field

MODEL = "smollm2:135m"
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
