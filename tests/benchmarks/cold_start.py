"""From the start of a server's process to the first text of a model that it never loaded.

    python tests/benchmarks/cold_start.py --against "llama-server -m m.gguf --port 8088"

Camelid serves SmolLM2 from a store of its own. Another server may be started beside it, by a command whose `--port`
says where it listens and which answers `/v1/chat/completions`. They take turns; a ratio says how many times sooner
Camelid was there: the median of the rounds, and the least and the most.
"""

import argparse
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import httpx

CAMELID = [sys.executable, "-m", "camelid"]
MODEL = "smollm2:135m"
PORT = 11497
QUESTION = {"messages": [{"role": "user", "content": "Say hello."}], "model": MODEL, "max_tokens": 4, "stream": True}


def first_text(command: Sequence[str], port: int, environment: dict[str, str]) -> float:
    """Seconds; the server is asked again and again until it answers, and is gone afterwards."""
    began = time.perf_counter()
    with (
        subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client,
    ):
        try:
            while process.poll() is None:
                try:
                    with client.stream("POST", "/v1/chat/completions", json=QUESTION) as answer:
                        if answer.status_code == 200 and any('"content":"' in line for line in answer.iter_lines()):
                            return time.perf_counter() - began
                except httpx.TransportError:
                    time.sleep(0.002)
            raise SystemExit(f"{command[0]} ended with status {process.returncode}")
        finally:
            process.kill()


def show(name: str, values: Sequence[float], unit: str = " s") -> None:
    """Print one line."""
    print(f"{name:20} {statistics.median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-spare", action="store_true")
    parser.add_argument("--against")
    arguments = parser.parse_args()
    against = shlex.split(arguments.against or "")
    found = re.search(r"--port[ =](\d+)", arguments.against or "")
    here: list[float] = []
    there: list[float] = []
    with tempfile.TemporaryDirectory() as models:
        environment = {
            "OLLAMA_MODELS": models,
            "OLLAMA_HOST": f"127.0.0.1:{PORT}",
            "CAMELID_SPARE_WORKER": str(not arguments.without_spare).lower(),
        }
        command = [*CAMELID, "run", MODEL, ""]  # brings the model into the store
        subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
        for _ in range(arguments.rounds):
            here.append(first_text([*CAMELID, "serve"], PORT, environment))
            time.sleep(1)
            if against and found:
                there.append(first_text(against, int(found[1]), {}))
                time.sleep(1)
    show("camelid", here)
    if there:
        show(against[0].rpartition("/")[2], there)
        show("sooner by", [other / own for own, other in zip(here, there, strict=True)], " times")


if __name__ == "__main__":
    main()
