"""Pictures, quantizing and files through the official `ollama` client."""

import hashlib

import ollama
import pytest

from camelid.testing.tiny_gguf import ProjectorKind, write_language_model, write_projector

PICTURE = b"\x89PNG\r\n\x1a\n..."


@pytest.fixture(scope="module")
def client(server):
    server.pull("camelid/echo")
    with ollama.Client(host=server.url, timeout=100) as client:
        yield client


@pytest.fixture(scope="module")
def seeing(server, client):
    made = server.post(
        "/api/create",
        model="seeing",
        template="<|turn|>{{ range .Messages }}{{ .Content }}{{ end }}<|answer|>",
        info={"capabilities": ["vision"]},
        stream=False,
        **{"from": "camelid/echo"},
    )
    assert made.json() == {"status": "success"}, made.text
    return "seeing"


def test_pictures_as_bytes_and_as_files(client, seeing, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(PICTURE)
    words = f"[picture {hashlib.sha256(PICTURE).hexdigest()[:8]}]"
    for picture in (PICTURE, path, str(path)):
        answer = client.chat(seeing, [{"role": "user", "content": "look", "images": [picture]}])
        assert answer.message.content == f"{words}look"
    assert client.generate(seeing, "look", images=[PICTURE]).response == f"{words}look"


def test_a_model_and_its_projector_from_uploaded_files(client, tmp_path):
    files = {
        "model.gguf": client.create_blob(write_language_model(tmp_path / "model.gguf")),
        "mmproj.gguf": client.create_blob(write_projector(tmp_path / "mmproj.gguf", ProjectorKind.MLP)),
    }
    assert client.create("tiny-eyes", files=files).status == "success"
    shown = client.show("tiny-eyes")
    assert "vision" in shown.capabilities
    assert shown.details.format == "gguf"


def test_quantizing_tells_how_far_it_is(client, tmp_path):
    digest = client.create_blob(write_language_model(tmp_path / "model.gguf"))
    lines = list(client.create("tiny-q8", files={"model.gguf": digest}, quantize="q8_0", stream=True))
    assert lines[-1].status == "success"
    told = [line for line in lines if line.status.startswith("quantizing")]
    assert told
    assert told[-1].status == "quantizing F32 model to Q8_0"
    assert told[-1].completed == told[-1].total > 0
    assert client.show("tiny-q8").details.quantization_level == "Q8_0"
    with pytest.raises(ollama.ResponseError, match="unsupported quantization type"):
        client.create("tiny-q9", files={"model.gguf": digest}, quantize="q9_9")
