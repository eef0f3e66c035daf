"""Models with a projector, from two files to an answer about a picture; tiny ones, whose answers mean nothing."""

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from camelid.testing.suite.seeing import png
from camelid.testing.tiny_gguf import ProjectorKind, write_language_model, write_projector

SUNSET, MEADOW, NIGHT = (
    png((250, 200, 40), (230, 60, 30), (40, 20, 60)),
    png((120, 180, 250), (40, 160, 50), (30, 120, 40)),
    png((5, 5, 20), (10, 10, 40), (0, 0, 0)),
)
GREEDY = {"temperature": 0, "num_predict": 12, "num_ctx": 4096}


def sent(*files: bytes) -> list[str]:
    return [b64encode(file).decode() for file in files]


def create(server, name: str, *paths) -> dict:
    """Make a model of files, as a client does; the last line of what the server says."""
    files = {}
    for path in paths:
        content = path.read_bytes()
        files[path.name] = f"sha256:{sha256(content).hexdigest()}"
        assert server.http.post(f"/api/blobs/{files[path.name]}", content=content).status_code in (200, 201)
    return json.loads(server.post("/api/create", model=name, files=files).text.splitlines()[-1])


@pytest.fixture(scope="module", params=["flat", "in-two-dimensions"])
def sight(request, server, tmp_path_factory):
    """A server, and the name of a model on it that sees."""
    folder = tmp_path_factory.mktemp("models")
    flat = request.param == "flat"
    language = write_language_model(folder / "language.gguf", "llama" if flat else "qwen2vl")
    kind = ProjectorKind.GEMMA3 if flat else ProjectorKind.QWEN2VL
    projector = write_projector(folder / "mmproj.gguf", kind)
    assert create(server, request.param, language, projector) == {"status": "success"}
    return server, request.param


def chat(sight, *messages: dict) -> dict:
    server, model = sight
    answer = server.post(
        "/api/chat", model=model, messages=messages, stream=False, options=GREEDY, logprobs=True, top_logprobs=5
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def likely(answer: dict) -> list[float]:
    """How likely the first tokens were that could have been chosen."""
    return [entry["logprob"] for entry in answer["logprobs"][0]["top_logprobs"]]


def about(*pictures: bytes, words: str = "what is it?") -> dict:
    return {"role": "user", "content": words, "images": sent(*pictures)}


def test_show_says_that_it_sees(sight):
    server, model = sight
    shown = server.post("/api/show", model=model).json()
    assert "vision" in shown["capabilities"]
    assert shown["projector_info"]["general.architecture"] == "clip"


def test_the_picture_decides_the_answer(sight):
    answers = [chat(sight, about(picture)) for picture in (SUNSET, MEADOW, SUNSET)]
    said = [answer["message"]["content"] for answer in answers]
    assert said[0] == said[2] != said[1]
    assert answers[0]["prompt_eval_count"] > chat(sight, about())["prompt_eval_count"]


def test_a_conversation_goes_on(sight):
    first, then = about(SUNSET), about(MEADOW, words="and now?")
    said = chat(sight, first)["message"]
    whole = chat(sight, first, said, then)
    assert likely(chat(sight, first, said, then)) == pytest.approx(likely(whole), abs=0.02)
    for other in ((about(NIGHT), said, then), (first, said, about(NIGHT, words="and now?"))):
        assert likely(chat(sight, *other)) != pytest.approx(likely(whole), abs=0.02)


def test_many_look_at_once(sight):
    questions = [about(SUNSET), about(MEADOW), about(), about(NIGHT, SUNSET), about(SUNSET, NIGHT)]
    with ThreadPoolExecutor(len(questions)) as pool:
        answers = list(pool.map(lambda question: chat(sight, question), questions))
    assert all(answer["done_reason"] == "length" for answer in answers)
    assert len({answer["message"]["content"] for answer in answers}) == len(questions)


def test_generate_sees_the_same(sight):
    server, model = sight
    body = {"model": model, "prompt": "what is it?", "images": sent(SUNSET), "stream": False, "options": GREEDY}
    assert server.post("/api/generate", **body).json()["response"] == chat(sight, about(SUNSET))["message"]["content"]


@pytest.mark.parametrize(
    ("file", "sentence"),
    [(b"GIF89a", "cannot be read"), (SUNSET[:60], "cannot be read"), (b"RIFF\0\0\0\0WAVEfmt ", "cannot hear")],
)
def test_what_cannot_be_seen_is_the_clients_mistake(sight, file, sentence):
    server, model = sight
    answer = server.post("/api/chat", model=model, messages=[about(file)], stream=False, options=GREEDY)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]
    assert chat(sight, about(SUNSET))["message"]["content"]


def test_more_pictures_than_the_context_holds_are_refused(sight):
    server, model = sight
    question = about(*[SUNSET] * 800)
    answer = server.post("/api/chat", model=model, messages=[question], stream=False, options=GREEDY)
    assert answer.status_code == 400
    assert "context" in answer.json()["error"]


def test_a_projector_of_another_model_is_named(server, tmp_path):
    language = write_language_model(tmp_path / "language.gguf")
    projector = write_projector(tmp_path / "mmproj.gguf", ProjectorKind.MLP, width=96)
    assert create(server, "mismatched", language, projector) == {"status": "success"}
    answer = server.post("/api/chat", model="mismatched", messages=[about(SUNSET)], stream=False)
    assert answer.status_code == 500
    assert "made for another model" in answer.json()["error"]
