"""What upstreams have, under `upstream://`: a real Camelid, and what others say of themselves."""

import json
from collections.abc import Iterator, Mapping

import pytest

from camelid.errors import RegistryError
from camelid.testing.loopback import LoopbackServer, Reply, Request
from camelid.types.names import ModelName
from camelid_upstream.registry import UpstreamRegistry


def resolve(name: str) -> dict[str, bytes]:
    """The layers by the last word of their type, or by their name."""
    resolved = UpstreamRegistry().resolve(ModelName.parse(name))
    assert resolved.config == {"model_format": "upstream", "model_family": "upstream"}
    return {layer.name or layer.media_type.rpartition(".")[2]: layer.blob.content or b"" for layer in resolved.layers}


class OtherServer(LoopbackServer):
    """Says what the test wants at each path; nothing else is there."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, object] = {}

    def respond(self, request: Request) -> Reply:
        if request.path not in self.pages:
            return Reply(404)
        page = self.pages[request.path]
        return page if isinstance(page, Reply) else Reply(200, json.dumps(page).encode())


@pytest.fixture
def other(monkeypatch) -> Iterator[OtherServer]:
    with OtherServer() as server:
        monkeypatch.setenv("UPSTREAMS", f"lab=http://{server.host}")
        server.pages["/v1/models"] = {"object": "list", "data": [{"id": "Qwen/Qwen3-0.6B", "object": "model"}]}
        yield server


def test_a_camelid_says_template_and_name():
    layers = resolve("upstream://lab/smollm2:135m")
    assert json.loads(layers["model"]) == {
        "camelid_backend": "upstream",
        "upstream": "lab",
        "model": "smollm2:135m",
        "accepts": ["options", "raw"],
        "max_tokens": 1024,
    }
    assert "<|im_start|>" in layers["chat_template.jinja"].decode()
    assert json.loads(layers["params"]) == {"num_ctx": 131072}


def test_templates_in_go_are_templates():
    layers = resolve("upstream://lab/camelid/echo")
    assert json.loads(layers["model"])["model"] == "camelid/echo:latest"
    assert layers["template"].startswith(b"{{ range .Messages }}")


def test_a_llama_server_says_more_than_openai(other):
    other.pages["/props"] = {"chat_template": "{% for m in messages %}{% endfor %}", "total_slots": 4}
    other.pages["/api/show"] = {"template": "the same"}
    layers = resolve("upstream://lab/qwen/qwen3-0.6b")
    assert layers["chat_template.jinja"] == b"{% for m in messages %}{% endfor %}"
    file = json.loads(layers["model"])
    assert file["model"] == "Qwen/Qwen3-0.6B"
    assert "top_k" in file["accepts"]


@pytest.mark.parametrize("page", [None, Reply(200, b"<html>"), Reply(500), {"error": "no such endpoint"}])
def test_one_that_says_nothing_of_itself_is_taken_as_it_is(other, page):
    if page is not None:
        other.pages["/props"] = page
    layers = resolve("upstream://lab/qwen/qwen3-0.6b")
    assert layers.keys() == {"model", "params"}
    assert json.loads(layers["model"])["accepts"] == []


def test_the_key_is_sent(other, monkeypatch):
    monkeypatch.setenv("UPSTREAM_KEY_LAB", "secret")
    resolve("upstream://lab/qwen/qwen3-0.6b")
    assert {request.headers["authorization"] for request in other.requests} == {"Bearer secret"}


def test_an_ollama_prompts_by_itself(other):
    other.pages["/api/show"] = {"template": "{{ .Prompt }}"}
    with pytest.raises(RegistryError, match="is an Ollama"):
        resolve("upstream://lab/qwen/qwen3-0.6b")


def test_unknown_models_and_upstreams_are_named(other):
    with pytest.raises(RegistryError, match=r"has no model llama; it lists: Qwen/Qwen3-0\.6B"):
        resolve("upstream://lab/llama")
    with pytest.raises(RegistryError, match="UPSTREAMS of this server lists no upstream called elsewhere"):
        resolve("upstream://elsewhere/llama")
    assert [request.path for request in other.requests] == ["/v1/models"]


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ({"/v1/models": Reply(401)}, "UPSTREAM_KEY_LAB is missing or wrong"),
        ({"/v1/models": Reply(307, headers={"Location": "http://127.0.0.1:1/"})}, "redirects are not followed"),
        ({"/v1/models": ["x"]}, "has no list of models at /v1/models"),
        ({"/v1/models": Reply(404)}, "refuses the request"),
        ({"/v1/models": Reply(200, b" " * 20_000_000)}, "says more than anybody would read"),
    ],
)
def test_what_is_wrong_is_one_error(other, pages: Mapping[str, object], words):
    other.pages |= pages
    with pytest.raises(RegistryError, match=words):
        resolve("upstream://lab/qwen/qwen3-0.6b")


def test_nobody_is_there(monkeypatch):
    monkeypatch.setenv("UPSTREAMS", "lab=http://127.0.0.1:1")
    with pytest.raises(RegistryError, match="cannot be reached"):
        resolve("upstream://lab/x")


def test_a_list_that_cannot_be_read(monkeypatch):
    monkeypatch.setenv("UPSTREAMS", "http://127.0.0.1:1")
    with pytest.raises(RegistryError, match="entry 1 of the variable UPSTREAMS"):
        resolve("upstream://lab/x")
