"""Throughput and first token of concurrent streams through the server.

    python tests/benchmarks/streams.py [--streams 1 4 16] [--rounds 3] [--tokens 48]

Each stream has a prompt of its own. Prints tokens per second over all streams, and the first token's median and worst,
for each number of streams; rounds of all numbers alternate.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from overhead import MODEL, ask, summary


def main() -> None:
    """Start a server, send rounds, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=48)
    arguments = parser.parse_args()
    rates: dict[int, list[float]] = {streams: [] for streams in arguments.streams}
    firsts: dict[int, list[float]] = {streams: [] for streams in arguments.streams}
    number = 1000
    with tempfile.TemporaryDirectory() as models:
        serve = [sys.executable, "-m", "camelid", "serve", "--host", "127.0.0.1:0", "--models", models]
        serve += ["--num-parallel", str(max(arguments.streams)), "--context-length", "1024", "--until-stdin-closes"]
        with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            url = urlsplit(server.stdout.readline().split()[-1])
            environment = {**os.environ, "OLLAMA_HOST": url.geturl()}
            subprocess.run([sys.executable, "-m", "camelid", "pull", MODEL], env=environment, check=True)
            address = (url.hostname, url.port)
            ask(address, 999, 2)
            for _ in range(arguments.rounds):
                for streams in arguments.streams:
                    began = time.perf_counter()
                    with ThreadPoolExecutor(streams) as threads:
                        numbers = range(number, number + streams)
                        answers = list(threads.map(lambda it: ask(address, it, arguments.tokens), numbers))
                    number += streams
                    rates[streams].append(streams * arguments.tokens / (time.perf_counter() - began))
                    firsts[streams] += [first for first, _ in answers]
            server.stdin.close()
    for streams in arguments.streams:
        first = f"{statistics.median(firsts[streams]) * 1e3:.0f}, at worst {max(firsts[streams]) * 1e3:.0f}"
        print(f"{streams:3} streams: tokens/s {summary(rates[streams])}; first token, ms {first}")


if __name__ == "__main__":
    main()
