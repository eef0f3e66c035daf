"""How long lists and pages take on a store of 500 models: /api/tags, /api/show and /api/ps, over a socket.

    python tests/benchmarks/library.py [--models 500] [--large 50] [--rounds 30]

Makes a store of its own: every model has a GGUF file of its own (`--large` of them with a vocabulary of 128,256 tokens
and 280,147 merges, the others with 300 tokens), a Jinja template in it, and a Go template in two of three models, 20
different ones. Prints the first answer of a server that sees the store for the first time, the first one after a
restart, and medians with their spread after that; and how late the event loop was during the very first list, as
another client's request sees it. The goal is under 50 ms for what is asked again.
"""

import argparse
import hashlib
import json
import os
import random
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

U32, STRING, ARRAY = 4, 8, 9
TENSORS = 290
CHATML = """{%- if tools %}<tools>{% for tool in tools %}{{ tool | tojson }}{% endfor %}</tools>{% endif %}
{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.role == 'assistant' and message.tool_calls %}<tool_call>{{ message.tool_calls | tojson }}</tool_call>
{%- endif %}{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
<think>
</think>{% endif %}"""
GO = """{{- if .Tools }}Tools: {{ range .Tools }}{{ json . }}{{ end }}{{ end }}
{{- range $index, $message := .Messages }}<|{{ .Role }}|>{{ if .ToolCalls }}<tool_call>
{{ range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}{{ end }}</tool_call>
{{- else }}{{ .Content }}{{ end }}<|end|>{{ end }}<|assistant|>"""


def text(value: str) -> bytes:
    """A GGUF string."""
    return struct.pack("<Q", len(value.encode())) + value.encode()


def texts(values: list[str]) -> bytes:
    """A GGUF array of strings, with its type."""
    return struct.pack("<IIQ", ARRAY, STRING, len(values)) + b"".join(map(text, values))


def vocabulary(tokens: int, merges: int) -> bytes:
    """The arrays of a tokenizer: the long part of every header."""
    chance = random.Random(tokens)
    words = ["x" * chance.randint(1, 12) + str(number) for number in range(tokens)]
    pairs = ["ab" * chance.randint(1, 5) + f" {number}" for number in range(merges)]
    kinds = struct.pack("<IIQ", ARRAY, U32, tokens) + struct.pack("<I", 1) * tokens
    return (
        text("tokenizer.ggml.tokens")
        + texts(words)
        + text("tokenizer.ggml.token_type")
        + kinds
        + text("tokenizer.ggml.merges")
        + texts(pairs)
    )


def gguf(name: str, template: str, words: bytes) -> bytes:
    """A small GGUF file with as many tensors as a model of eight billion parameters."""
    facts = {"block_count": 32, "context_length": 131072, "embedding_length": 4096, "attention.head_count": 32}
    numbers = {f"llama.{key}": value for key, value in facts.items()} | {"tokenizer.ggml.bos_token_id": 1}
    numbers |= {"tokenizer.ggml.eos_token_id": 2, "general.file_type": 15}
    strings = {"general.architecture": "llama", "general.name": name, "tokenizer.chat_template": template}
    head = struct.pack("<4sIQQ", b"GGUF", 3, TENSORS, len(numbers) + len(strings) + 3)
    head += b"".join(text(key) + struct.pack("<I", STRING) + text(value) for key, value in strings.items())
    head += b"".join(text(key) + struct.pack("<II", U32, value) for key, value in numbers.items()) + words
    head += b"".join(
        text(f"blk.{place}.ffn_down.weight") + struct.pack("<IQIQ", 1, 8, 0, 32 * place) for place in range(TENSORS)
    )
    return head + b"\0" * (-len(head) % 32) + b"\0" * 32 * TENSORS


def fill(root: Path, count: int, large: int) -> list[str]:
    """Make the store; the names of its models."""
    blobs = root / "blobs"
    blobs.mkdir(parents=True)
    small, wide = vocabulary(300, 300), vocabulary(128_256, 280_147)
    names = []

    def layer(kind: str, content: bytes) -> dict[str, object]:
        digest = hashlib.sha256(content).hexdigest()
        (blobs / f"sha256-{digest}").write_bytes(content)
        media_type = kind if "/" in kind else f"application/vnd.ollama.image.{kind}"
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    for number in range(count):
        name = f"model-{number % 100}:v{number // 100}"
        jinja = CHATML + "\n" * (number % 30)
        layers = [layer("model", gguf(name, jinja, wide if number < large else small))]
        layers.append(layer("license", b"Use it as you like.\n" * 500))
        if number % 3:
            layers.append(layer("template", (GO + "\n" * (number % 20)).encode()))
        layers.append(layer("params", b'{"stop":["<|end|>"],"temperature":0.7}\n'))
        config = {
            "model_format": "gguf",
            "model_family": "llama",
            "model_families": ["llama"],
            "model_type": "8.0B",
            "file_type": "Q4_K_M",
        }
        described = layer("application/vnd.docker.container.image.v1+json", json.dumps(config).encode())
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": described,
            "layers": layers,
        }
        path = root / "manifests/registry.ollama.ai/library" / name.replace(":", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest))
        names.append(name)
    return names


@contextmanager
def server(models: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    """A server as a user starts it, and a client of it."""
    command = [sys.executable, "-m", "camelid", "serve", "--host", "127.0.0.1:0", "--until-stdin-closes"]
    environment = {**os.environ, "OLLAMA_MODELS": str(models)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        url = process.stdout.readline().split()[-1]
        with httpx.Client(base_url=url, timeout=300) as client:
            client.get("/api/version")
            yield client, psutil.Process(process.pid)
        process.stdin.close()
        process.stdout.read()


def timed(ask: Callable[[], httpx.Response]) -> float:
    """Milliseconds of one exchange."""
    began = time.perf_counter()
    ask().raise_for_status()
    return (time.perf_counter() - began) * 1e3


def summary(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):8.1f} ms ({min(values):.1f} to {max(values):.1f})"


@contextmanager
def neighbour(url: str) -> Iterator[list[float]]:
    """Another client, that asks for the version again and again; its milliseconds."""
    waits: list[float] = []
    stop = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=300) as client:
            while not stop.wait(0.01):
                waits.append(timed(lambda: client.get("/api/version")))

    thread = threading.Thread(target=ask)
    thread.start()
    yield waits
    stop.set()
    thread.join()


def measure(models: Path, names: list[str], rounds: int) -> None:
    """Print the figures."""
    with server(models) as (client, process):
        with neighbour(str(client.base_url)) as waits:
            first = timed(lambda: client.get("/api/tags"))
        print(f"tags, never seen before {first:8.1f} ms; meanwhile another client waited {summary(waits)}")
        print(f"resident {process.memory_info().rss / 1e6:.0f} MB")
    with server(models) as (client, process):
        print(f"tags, after a restart   {timed(lambda: client.get('/api/tags')):8.1f} ms")
        chance = random.Random(1)
        some = chance.sample(names, min(len(names), rounds))
        asks: dict[str, Callable[[str], httpx.Response]] = {
            "tags": lambda _: client.get("/api/tags"),
            "ps": lambda _: client.get("/api/ps"),
            "show": lambda name: client.post("/api/show", json={"model": name}),
            "show, vocabulary of 128,256": lambda _: client.post("/api/show", json={"model": names[0]}),
            "show, verbose": lambda _: client.post("/api/show", json={"model": names[-1], "verbose": True}),
            "show, verbose, vocabulary of 128,256": lambda _: client.post(
                "/api/show", json={"model": names[0], "verbose": True}
            ),
        }
        for title, ask in asks.items():
            cold = [timed(lambda name=name, ask=ask: ask(name)) for name in some]
            warm = [timed(lambda name=name, ask=ask: ask(name)) for name in some]
            print(f"{title}: first {summary(cold)}, again {summary(warm)}")
        print(f"resident {process.memory_info().rss / 1e6:.0f} MB")


def main() -> None:
    """Make a store, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=500)
    parser.add_argument("--large", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "models"
        names = fill(root, arguments.models, arguments.large)
        measure(root, names, arguments.rounds)


if __name__ == "__main__":
    main()
