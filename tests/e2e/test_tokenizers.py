"""Text to tokens by a plugin that tokenizes for others, over a socket."""

import pytest

from camelid.testing.suite.tokenizing import CORPUS

MODEL = "smollm2:135m"


def _tokens(server, text: str, **options: object) -> list[int]:
    answer = server.post("/api/tokenize", model=MODEL, content=text, options=options | {"num_ctx": 256})
    assert answer.status_code == 200, answer.text
    return answer.json()["tokens"]


@pytest.fixture(scope="module")
def server(run_server, tmp_path_factory):
    running = run_server(tmp_path_factory.mktemp("tokenizers"))
    running.pull()
    return running


def test_it_gives_the_ids_of_the_backends_own_tokenizer(server):
    text = "<|im_start|>".join(CORPUS)
    own = _tokens(server, text, tokenizer="")
    assert _tokens(server, text, tokenizer="tokenizers") == own
    assert _tokens(server, text, backend="ctransformers") == own


def test_one_that_is_not_there_is_refused_by_name(server):
    options = {"tokenizer": "ghost"}
    refused = server.post("/api/generate", model=MODEL, prompt="x", options=options, stream=False)
    assert refused.status_code == 400
    assert "there is no tokenizer plugin 'ghost'; there are: tokenizers" in refused.json()["error"]


def test_a_backend_without_any_says_what_to_install(run_server, tmp_path):
    server = run_server(tmp_path, CAMELID_DISABLED_PLUGINS="tokenizers")
    server.pull()
    options = {"backend": "ctransformers", "num_ctx": 256}
    refused = server.post("/api/generate", model=MODEL, prompt="x", options=options, stream=False)
    assert refused.status_code == 500
    assert "camelid-ctransformers leaves text to other plugins" in refused.json()["error"]
    assert "pip install camelid-tokenizers" in refused.json()["error"]
