"""How quickly Camelid is there, and what it takes while idle.

`python tests/benchmarks/startup.py` prints: seconds for `camelid --help`, seconds until the server answers, resident
memory of an idle server. Medians, with the least and the most of several runs.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

CAMELID = str(Path(sys.executable).with_name("camelid"))


def help_seconds() -> float:
    """Time of `camelid --help`, interpreter included."""
    began = time.perf_counter()
    subprocess.run([CAMELID, "--help"], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def server(models: str) -> tuple[float, float]:
    """Seconds until an empty server listens, and its resident megabytes a second later."""
    command = [CAMELID, "serve", "--host", "127.0.0.1:0", "--models", models, "--until-stdin-closes"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        assert process.stdin
        process.stdout.readline()
        seconds = time.perf_counter() - began
        time.sleep(1)
        memory = psutil.Process(process.pid).memory_info().rss / 1e6
        process.stdin.close()
    return seconds, memory


def show(name: str, values: list[float], unit: str, goal: float) -> None:
    """Print one figure."""
    median = statistics.median(values)
    spread = f"{min(values):.3g} to {max(values):.3g}"
    print(f"{name:28} {median:8.3g} {unit:3} ({spread}); goal: under {goal:g} {unit}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as models:
        servers = [server(models) for _ in range(runs)]
    show("camelid --help", [help_seconds() for _ in range(runs)], "s", 0.3)
    show("server ready", [seconds for seconds, _ in servers], "s", 1)
    show("idle server, resident", [memory for _, memory in servers], "MB", 100)


if __name__ == "__main__":
    main()
