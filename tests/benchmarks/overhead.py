"""What server, wire and framework cost over a bare `llama_decode` loop: one stream, greedy, side by side.

    python tests/benchmarks/overhead.py [--rounds 10] [--tokens 128]

Both hold the same model with the same context and threads; they take turns at going first, so a noisy neighbour meets
both. The server is asked over HTTP as a client would, and timed from outside. Prompts differ from round to round, so
that no prefix cache answers. Prints tokens per second and the time to the first token of each, and the ratios round by
round.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from bare_decode import Loop, packaged_model

MODEL = "smollm2:135m"
PROMPT = "{number}<|im_start|>user\nTell me a long story of a mountain village.<|im_end|>\n<|im_start|>assistant\n"
"""Begins with the number: what two prompts share, a prefix cache would not compute again."""


def bare(context: int, threads: int) -> None:
    """The child process with the bare loop: a line with a prompt and a count in, a line with two figures out."""
    from llama_cpp import llama_cpp as api

    loop = Loop(api, packaged_model(), threads, context)
    sample = loop.chain(api.llama_sampler_init_greedy())
    vocabulary = api.llama_model_get_vocab(loop.model)
    for line in sys.stdin:
        number, tokens = map(int, line.split())
        text = PROMPT.format(number=number).encode()
        began = time.perf_counter()
        loop.prompt_size = api.llama_tokenize(vocabulary, text, len(text), loop.prompt, 512, True, True)
        loop.run(sample, 1)
        first = time.perf_counter() - began
        timed = loop.run(sample, tokens)
        print(first - timed.decode[0], timed.tokens_per_second, flush=True)


def ask(address: tuple[str, int], number: int, tokens: int) -> tuple[float, float]:
    """Seconds to the first token and tokens per second after it, as a client sees them."""
    body = json.dumps(
        {
            "model": MODEL,
            "prompt": PROMPT.format(number=number),
            "raw": True,
            "options": {"temperature": 0, "num_predict": tokens},
        }
    ).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(address) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        began = time.perf_counter()
        connection.sendall(head + body)
        received, first = b"", 0.0
        while b'"done":true' not in received:
            received += connection.recv(65536)
            if not first and b'"response"' in received:
                first = time.perf_counter()
        ended = time.perf_counter()
    assert f'"eval_count":{tokens}'.encode() in received, received[-300:]
    return first - began, (tokens - 1) / (ended - first)


def summary(values: list[float], scale: float = 1.0) -> str:
    """Median, least and most."""
    return f"{statistics.median(values) * scale:.4g} ({min(values) * scale:.4g} to {max(values) * scale:.4g})"


def main() -> None:
    """Start both, alternate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("GOMP_SPINCOUNT", "300")
    if arguments.bare:
        bare(arguments.context, arguments.threads)
        return
    floor: list[tuple[float, float]] = []
    server: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as models:
        serve = [sys.executable, "-m", "camelid", "serve", "--host", "127.0.0.1:0", "--models", models]
        serve += ["--num-parallel", "1", "--context-length", str(arguments.context), "--until-stdin-closes"]
        child = [sys.executable, str(Path(__file__)), "--bare", "--context", str(arguments.context)]
        child += ["--threads", str(arguments.threads)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(serve, **pipes) as front, subprocess.Popen(child, **pipes) as loop:
            url = urlsplit(front.stdout.readline().split()[-1])
            environment = {**os.environ, "OLLAMA_HOST": url.geturl()}
            subprocess.run([sys.executable, "-m", "camelid", "pull", MODEL], env=environment, check=True)
            for turn in range(arguments.rounds + 1):
                number = 100 + 7919 * turn % 900
                ours = [] if turn % 2 else [ask((url.hostname, url.port), number, arguments.tokens)]
                loop.stdin.write(f"{number} {arguments.tokens}\n")
                loop.stdin.flush()
                floor.append(tuple(map(float, loop.stdout.readline().split())))
                server += ours or [ask((url.hostname, url.port), number, arguments.tokens)]
            front.stdin.close()
            loop.stdin.close()
    floor, server = floor[1:], server[1:]
    print(
        "bare loop  tokens/s",
        summary([rate for _, rate in floor]),
        " first token, ms",
        summary([f for f, _ in floor], 1e3),
    )
    print(
        "Camelid    tokens/s",
        summary([rate for _, rate in server]),
        " first token, ms",
        summary([f for f, _ in server], 1e3),
    )
    rates = [ours / theirs for (_, ours), (_, theirs) in zip(server, floor, strict=True)]
    firsts = [ours - theirs for (ours, _), (theirs, _) in zip(server, floor, strict=True)]
    print("tokens/s, Camelid over bare:", summary(rates), "; goal: above 0.95")
    print("first token, ms more than bare:", summary(firsts, 1e3), "; goal: under 5")


if __name__ == "__main__":
    main()
