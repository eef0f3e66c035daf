"""Models whose projector lies in their own file, as those of ollama.com: seen through, or at least read."""

import json
from base64 import b64encode
from hashlib import sha256

import pytest

from camelid.testing.suite.seeing import png
from camelid.testing.tiny_combined import UNKNOWN_FAMILY, write_combined_model

SUNSET = png((250, 200, 40), (230, 60, 30), (40, 20, 60))
MEADOW = png((120, 180, 250), (40, 160, 50), (30, 120, 40))
GREEDY = {"temperature": 0, "num_predict": 12, "num_ctx": 2048}


def create(server, name: str, *paths) -> None:
    files = {}
    for path in paths:
        content = path.read_bytes()
        files[path.name] = f"sha256:{sha256(content).hexdigest()}"
        assert server.http.post(f"/api/blobs/{files[path.name]}", content=content).status_code in (200, 201)
    lines = server.post("/api/create", model=name, files=files).text.splitlines()
    assert json.loads(lines[-1]) == {"status": "success"}


def chat(server, model: str, *pictures: bytes):
    message = {"role": "user", "content": "what is it?", "images": [b64encode(file).decode() for file in pictures]}
    return server.post(
        "/api/chat", model=model, messages=[message], stream=False, options=GREEDY, logprobs=True, top_logprobs=5
    )


def likely(answer) -> list[float]:
    """How likely the first tokens were that could have been chosen."""
    return [entry["logprob"] for entry in answer.json()["logprobs"][0]["top_logprobs"]]


def capabilities(server, model: str) -> list[str]:
    return server.post("/api/show", model=model).json()["capabilities"]


@pytest.mark.parametrize("family", ["gemma3", "qwen25vl"])
def test_one_file_sees_as_two_do(server, tmp_path, family):
    files = write_combined_model(tmp_path, family)
    together, apart = f"{family}-together", f"{family}-apart"
    create(server, together, files.combined)
    create(server, apart, files.language, files.projector)
    assert "vision" in capabilities(server, together)
    assert server.post("/api/show", model=together).json()["details"]["family"] == family
    answers = [chat(server, together, picture) for picture in (SUNSET, MEADOW)]
    assert [answer.status_code for answer in answers] == [200, 200]
    said = [answer.json()["message"]["content"] for answer in answers]
    assert said[0] != said[1]
    for answer, picture in zip(answers, (SUNSET, MEADOW), strict=True):
        expected = chat(server, apart, picture)
        assert answer.json()["message"] == expected.json()["message"]
        assert likely(answer) == pytest.approx(likely(expected), abs=1e-3)
    assert likely(chat(server, together)) == pytest.approx(likely(chat(server, apart)), abs=1e-3)


def test_an_unknown_projector_is_left_out(server, tmp_path):
    files = write_combined_model(tmp_path, UNKNOWN_FAMILY)
    create(server, "blind", files.combined)
    create(server, "blind-alone", files.language)
    assert capabilities(server, "blind") == capabilities(server, "blind-alone") == ["completion"]
    assert likely(chat(server, "blind")) == pytest.approx(likely(chat(server, "blind-alone")), abs=1e-3)
    refused = chat(server, "blind", SUNSET)
    assert refused.status_code == 400
    assert "does not support images" in refused.json()["error"]


@pytest.mark.parametrize(
    "lies",
    [{"block_count": 1000}, {"attention.head_count": 7}, {"patch_size": 3}, {"embedding_length": 1 << 31}],
    ids=lambda lies: next(iter(lies)),
)
def test_a_projector_that_is_not_what_its_file_says_is_an_error_and_no_more(server, tmp_path, lies):
    name = f"lying-{sha256(repr(lies).encode()).hexdigest()[:8]}"
    create(server, name, write_combined_model(tmp_path, "gemma3", lies=lies).combined)
    answer = chat(server, name, SUNSET)
    assert answer.status_code == 500
    assert "projector" in answer.json()["error"] or "stopped" in answer.json()["error"]
    assert server.http.get("/api/version").status_code == 200
