"""Models that hear, with a tiny one, whose answers mean nothing."""

import io
import wave
from base64 import b64encode
from hashlib import sha256

import numpy as np

from camelid.testing.tiny_gguf import write_hearing_projector, write_language_model


def tone(frequency: float) -> str:
    """Half a second of a tone, as a client sends it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(16000)
        samples = 20000 * np.sin(2 * np.pi * frequency * np.arange(8000) / 16000)
        writer.writeframes(samples.astype("<i2").tobytes())
    return b64encode(file.getvalue()).decode()


def test_what_is_heard_decides_the_answer(start_server, tmp_path):
    server = start_server()
    files = {}
    for path in (write_language_model(tmp_path / "model.gguf"), write_hearing_projector(tmp_path / "mmproj.gguf")):
        content = path.read_bytes()
        files[path.name] = f"sha256:{sha256(content).hexdigest()}"
        assert server.http.post(f"/api/blobs/{files[path.name]}", content=content).status_code == 201
    assert server.post("/api/create", model="ears", files=files, stream=False).json() == {"status": "success"}
    assert "audio" in server.post("/api/show", model="ears").json()["capabilities"]

    def likely(frequency: float) -> list[float]:
        message = {"role": "user", "content": "what is it?", "images": [tone(frequency)]}
        body = {"messages": [message], "options": {"temperature": 0, "num_predict": 2}, "top_logprobs": 5}
        answer = server.post("/api/chat", model="ears", stream=False, logprobs=True, **body).json()
        return [entry["logprob"] for entry in answer["logprobs"][0]["top_logprobs"]]

    low, high = likely(220), likely(2200)
    assert np.allclose(likely(220), low, atol=0.005)
    assert not np.allclose(high, low, atol=0.02)
