"""Pictures in requests, over a socket; the echo model says which file it sees."""

import json
from base64 import b64encode
from hashlib import sha256

import pytest

ONE, TWO = (b"\x89PNG\r\n\x1a\n" + name for name in (b"one", b"two"))
TEMPLATE = "<|turn|>{{ range .Messages }}{{ .Content }}{{ end }}<|answer|>"


def sent(*files: bytes) -> list[str]:
    return [b64encode(file).decode() for file in files]


def words(file: bytes) -> str:
    return f"[picture {sha256(file).hexdigest()[:8]}]"


@pytest.fixture(scope="module")
def seeing(server):
    """A model that sees, and one that does not."""
    server.pull("camelid/echo")
    for name, capabilities in (("seeing", ["vision"]), ("blind", [])):
        info = {"capabilities": capabilities}
        made = server.post(
            "/api/create", model=name, **{"from": "camelid/echo"}, template=TEMPLATE, info=info, stream=False
        )
        assert made.json() == {"status": "success"}, made.text
    return server


def test_chat_sees_pictures_in_their_order(seeing):
    messages = [{"role": "user", "content": "first [img] then", "images": sent(ONE, TWO)}]
    body = seeing.post("/api/chat", model="seeing", messages=messages, stream=False).json()
    assert body["message"]["content"] == f"{words(TWO)}first {words(ONE)} then"
    assert body["prompt_eval_count"] > len(words(ONE) + words(TWO))


def test_generate_sees_pictures(seeing):
    body = seeing.post("/api/generate", model="seeing", prompt="look", images=sent(ONE), stream=False).json()
    assert body["response"] == f"{words(ONE)}look"


def test_a_stream_with_pictures(seeing):
    messages = [{"role": "user", "content": "look", "images": sent(ONE)}]
    with seeing.http.stream("POST", "/api/chat", json={"model": "seeing", "messages": messages}) as answer:
        lines = [json.loads(line) for line in answer.iter_lines()]
    assert "".join(line["message"]["content"] for line in lines) == f"{words(ONE)}look"


def test_a_preview_numbers_the_pictures(seeing):
    messages = [{"role": "user", "content": "look", "images": sent(ONE, TWO)}]
    body = seeing.post("/api/chat", model="seeing", messages=messages, _debug_render_only=True).json()
    assert body["_debug_info"] == {"rendered_template": "<|turn|>[img-0][img-1]look<|answer|>", "image_count": 2}


@pytest.mark.parametrize(
    ("model", "image", "message"),
    [
        ("blind", sent(ONE)[0], '"blind" does not support images: this model is missing data required for image input'),
        ("seeing", sent(b"MZ\x90")[0], "the echo model takes PNG and JPEG files only"),
        ("seeing", "data:image/png;base64,iVBORw0KGgo=", "illegal base64 data at input byte 4"),
    ],
)
def test_what_is_no_picture_is_refused(seeing, model, image, message):
    for path, body in (
        ("/api/chat", {"messages": [{"role": "user", "content": "look", "images": [image]}]}),
        ("/api/generate", {"prompt": "look", "images": [image]}),
    ):
        answer = seeing.post(path, model=model, **body)
        assert (answer.status_code, answer.json()) == (400, {"error": message})
