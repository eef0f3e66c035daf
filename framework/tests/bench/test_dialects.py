"""The dialects, against small servers that speak them over a socket."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest

from camelid.bench.dialects import OllamaTarget, OpenAITarget, find_target
from camelid.bench.measuring import measure, measure_cold, measure_embeddings
from camelid.bench.scenarios import SCENARIOS
from camelid.bench.target import BenchError


class Ollama(BaseHTTPRequestHandler):
    """Says `{"a": 1}` in two pieces."""

    seen: ClassVar[list[tuple[str, dict]]] = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer(b'{"version":"0"}' if self.path == "/api/version" else b"", 200)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, body))
        if body["model"] == "missing":
            self.answer(b'{"error":"model not found"}', 404)
        elif self.path == "/api/chat":
            lines = [
                {"message": {"content": '{"a":'}, "done": False},
                {"message": {"content": " 1}"}, "done": False},
                {"message": {"content": ""}, "done": True, "eval_count": 5},
            ]
            self.answer("".join(json.dumps(line) + "\n" for line in lines).encode(), 200)
        elif self.path == "/api/embed":
            self.answer(json.dumps({"embeddings": [[1.0]] * len(body["input"])}).encode(), 200)
        else:
            self.answer(b"{}", 200)

    def answer(self, content: bytes, status: int):
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class OpenAI(Ollama):
    def do_GET(self):
        self.answer(b"404", 404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append((self.path, body))
        if self.path == "/v1/embeddings":
            self.answer(json.dumps({"data": [{"embedding": [1.0]} for _ in body["input"]]}).encode(), 200)
            return
        events = [
            {"choices": [{"delta": {"role": "assistant", "content": None}}]},
            {"choices": [{"delta": {"content": '{"a":'}}]},
            {"choices": [{"delta": {"content": " 1}"}}]},
            {"choices": [], "usage": {"completion_tokens": 6}},
        ]
        text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.answer(text.encode(), 200)


@contextmanager
def serving(handler: type[Ollama]) -> Iterator[str]:
    handler.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("handler", "kind", "tokens"), [(Ollama, OllamaTarget, 5), (OpenAI, OpenAITarget, 6)])
async def test_each_server_is_measured_in_its_dialect(handler, kind, tokens):
    with serving(handler) as url:
        target = await find_target("there", url, "m", {"backend": "x"})
        try:
            assert type(target) is kind
            found = await measure(target, SCENARIOS["json"], streams=3, tokens=9, seed=1)
            assert (found.tokens, found.answers) == (3 * tokens, 3)
            assert len(found.first) == 3
            assert len(found.gaps) == 3
            assert (await measure_embeddings(target, seed=1)).answers == 32
            cold = await measure_cold(target, seed=1)
            assert (cold is None) == (kind is OpenAITarget)
        finally:
            await target.close()
    bodies = [body for path, body in handler.seen if path.endswith(("chat", "completions"))]
    schema = bodies[0]["format"] if handler is Ollama else bodies[0]["response_format"]["json_schema"]["schema"]
    assert len(schema["required"]) == 8
    if handler is Ollama:
        # The three are asked at the same time, so they arrive in any order.
        options = sorted((body["options"] for body in bodies[:3]), key=lambda each: each["seed"])
        assert options[0] == {"backend": "x", "num_predict": 256, "seed": 1, "temperature": 0.8}


async def test_a_refusal_names_the_server_and_says_why():
    with serving(Ollama) as url:
        target = await find_target("there", url, "missing")
        try:
            with pytest.raises(BenchError, match=r"there: /api/chat answers 404: .*model not found"):
                await measure(target, SCENARIOS["distinct"], streams=1, tokens=4, seed=1)
        finally:
            await target.close()


async def test_nobody_at_home():
    with pytest.raises(BenchError, match="no server answers"):
        await find_target("there", "http://127.0.0.1:9", "m")
