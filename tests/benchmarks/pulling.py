"""How fast a large blob is pulled, beside curl: `python tests/benchmarks/pulling.py [MEGABYTES] [ROUNDS]`.

A file of random bytes is served from the loopback interface by a process of its own, which leaves the copying to the
system. Three take turns on the same disk, each after a `sync` and after as many bytes were written and removed: a
virtual machine may have given idle memory back to its host, and whoever needs it first would pay for getting it again.

- `curl` writes it into a file, which may be in memory only when it ends, and is not looked at;
- `curl, sync, sha256sum` does what a pull does: at the end the file is on the disk and has the right digest;
- `camelid serve` pulls it. It has pulled a small model before, so that Python's HTTP stack is imported, and then did
  nothing for a moment: what a server does after its start is no part of a pull.

Beside the seconds stand the processor's: of whoever wrote, and of the process that served. On a machine that does other
things those, and ratios within a round, say more than the speed.
"""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

import httpx
import msgspec
import psutil

ROUNDS = 5
CONFIG = b'{"model_format":"echo"}\n'
SMALL = b'{"camelid_backend":"echo"}'
TYPES = ("application/vnd.docker.container.image.v1+json", "application/vnd.ollama.image.model")


class Handler(BaseHTTPRequestHandler):
    """`large`, a model of one layer, which is the file named on the command line; and `small`."""

    protocol_version = "HTTP/1.1"
    file: Path
    digest: str

    def do_GET(self) -> None:
        contents = {digest_of(content): content for content in (CONFIG, SMALL)}
        config, small = contents
        asked = self.path.rpartition("/")[2]
        if asked == "latest":
            size = self.file.stat().st_size
            layer = (self.digest, size) if "/large/" in self.path else (small, len(SMALL))
            described = [
                {"mediaType": kind, "digest": digest, "size": size}
                for kind, (digest, size) in zip(TYPES, ((config, len(CONFIG)), layer), strict=True)
            ]
            manifest = {"schemaVersion": 2, "config": described[0], "layers": described[1:]}
            self._small(json.dumps(manifest).encode())
        elif asked == self.digest:
            self._large()
        else:
            self._small(contents[asked])

    def _small(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _large(self) -> None:
        size = self.file.stat().st_size
        first, _, last = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
        begin, end = int(first or 0), int(last or size - 1) + 1
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(end - begin))
        self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
        self.end_headers()
        with self.file.open("rb") as file:
            while begin < end:
                begin += os.sendfile(self.connection.fileno(), file.fileno(), begin, end - begin)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def serve_file(file: Path, digest: str) -> None:
    """The server's process."""
    Handler.file, Handler.digest = file, digest
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        print(f"127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


@contextmanager
def process(*command: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server's process, and the first line that it prints."""
    with subprocess.Popen(
        [sys.executable, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **environment},
    ) as running:
        try:
            yield running, running.stdout.readline().split()[-1]
        finally:
            running.kill()


class Turn(msgspec.Struct):
    """What it took one of the three."""

    seconds: float
    processor: float
    """Seconds, of whoever wrote."""
    serving: float
    """The same of who served."""
    memory: float = 0.0
    """MB that the server had at most."""


class Bench:
    """A file that is served, and a folder to write to."""

    def __init__(self, folder: Path, file: Path, server: int, url: str, digest: str) -> None:
        self._file = file
        self._copy, self._models = folder / "copy", folder / "models"
        self._server = psutil.Process(server)
        self._host = url
        self._digest = digest

    def curl(self, then: str = "") -> Turn:
        """curl, and what a shell does after it."""
        url = f"http://{self._host}/v2/me/large/blobs/{self._digest}"
        command = f"curl --silent --fail --output {self._copy} {url} {then.format(self._copy)}"
        self._prepare()
        before, serving, began = resource.getrusage(resource.RUSAGE_CHILDREN), self._serving(), time.perf_counter()
        subprocess.run(["sh", "-c", command], check=True, stdout=subprocess.DEVNULL)
        took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        self._copy.unlink()
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Turn(took, processor, self._serving() - serving)

    def pull(self) -> Turn:
        """A server that has pulled before."""
        serve = ("-m", "camelid", "serve", "--host", "127.0.0.1:0", "--until-stdin-closes")
        with process(*serve, OLLAMA_MODELS=str(self._models), CAMELID_SPARE_WORKER="false") as (running, url):
            self._pull(url, "small")
            server = psutil.Process(running.pid)
            settle(server)
            self._prepare()
            before, serving, began = server.cpu_times(), self._serving(), time.perf_counter()
            self._pull(url, "large")
            took, after = time.perf_counter() - began, server.cpu_times()
            status = Path(f"/proc/{running.pid}/status").read_text("ascii")
        shutil.rmtree(self._models)
        (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        processor = after.user + after.system - before.user - before.system
        return Turn(took, processor, self._serving() - serving, int(peak) / 1024)

    def _prepare(self) -> None:
        os.sync()
        with self._file.open("rb") as source, self._copy.open("wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        self._copy.unlink()

    def _pull(self, url: str, model: str) -> None:
        body = {"model": f"{self._host}/me/{model}", "insecure": True, "stream": False}
        answer = httpx.post(f"{url}/api/pull", json=body, timeout=600)
        assert answer.json() == {"status": "success"}, answer.text

    def _serving(self) -> float:
        times = self._server.cpu_times()
        return times.user + times.system


def settle(server: psutil.Process) -> None:
    """Wait until a process has nothing more to do."""
    busy = True
    while busy:
        before = server.cpu_times()
        time.sleep(0.5)
        after = server.cpu_times()
        busy = after.user + after.system - before.user - before.system > 0.02


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def main(megabytes: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, hashed = Path(folder) / "large", hashlib.sha256()
        with file.open("wb") as target:
            for _ in range(megabytes):
                hashed.update(piece := os.urandom(1_000_000))
                target.write(piece)
        digest = f"sha256:{hashed.hexdigest()}"
        with process(__file__, "serve", str(file), digest) as (server, host):
            bench = Bench(Path(folder), file, server.pid, host, digest)
            kinds = {
                "curl": bench.curl,
                "curl, sync, sha256sum": lambda: bench.curl("&& sync {0} && sha256sum {0}"),
                "camelid": bench.pull,
            }
            turns: dict[str, list[Turn]] = {kind: [] for kind in kinds}
            for number in range(rounds):
                print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}", end="")
                for kind, run in kinds.items():
                    turns[kind].append(turn := run())
                    print(f"; {kind} {turn.seconds:.2f} s", end="", flush=True)
                print()
    report(megabytes, turns)


def report(megabytes: int, turns: dict[str, list[Turn]]) -> None:
    """Medians, and how many times as fast as the others a pull was, with the least and the most of the rounds."""
    for kind, those in turns.items():
        speed, processor, serving = (
            median(values)
            for values in (
                [megabytes / turn.seconds for turn in those],
                [turn.processor for turn in those],
                [turn.serving for turn in those],
            )
        )
        ratios = sorted(other.seconds / turn.seconds for other, turn in zip(those, turns["camelid"], strict=True))
        print(
            f"{kind}: {speed:.0f} MB/s, {processor:.2f} s of processor time beside {serving:.2f} s of serving; "
            f"a pull was {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) times as fast"
        )
    print(f"at most {max(turn.memory for turn in turns['camelid']):.0f} MB of memory")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve_file(Path(sys.argv[2]), sys.argv[3])
    else:
        main(*map(int, (sys.argv[1:] + ["1000", str(ROUNDS)][len(sys.argv) - 1 :])))
