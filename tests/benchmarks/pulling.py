"""How fast a large blob is pulled, beside curl: `python tests/benchmarks/pulling.py [MEGABYTES]`.

A file of random bytes is served from the loopback interface by a process of its own, which leaves the copying to the
system. curl writes it into a file; `camelid serve` pulls it into a store on the same disk, verified. They take turns.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil

ROUNDS = 3
CONFIG = b'{"model_format":"echo"}\n'
TYPES = ("application/vnd.docker.container.image.v1+json", "application/vnd.ollama.image.model")


class Handler(BaseHTTPRequestHandler):
    """One model of one large layer; the layer is the file named on the command line."""

    protocol_version = "HTTP/1.1"
    file: Path
    digest: str

    def do_GET(self) -> None:
        if "/manifests/" in self.path:
            config, model = (
                {"mediaType": kind, "digest": digest, "size": size}
                for kind, digest, size in zip(
                    TYPES,
                    (f"sha256:{hashlib.sha256(CONFIG).hexdigest()}", self.digest),
                    (len(CONFIG), self.file.stat().st_size),
                    strict=True,
                )
            )
            self._small(json.dumps({"schemaVersion": 2, "config": config, "layers": [model]}).encode())
        elif self.path.endswith(self.digest):
            self._large()
        else:
            self._small(CONFIG)

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


def curl(url: str, target: Path) -> float:
    began = time.perf_counter()
    subprocess.run(["curl", "--silent", "--fail", "--output", str(target), url], check=True)
    return time.perf_counter() - began


def pull(host: str, models: Path) -> tuple[float, float]:
    """Seconds, and the most megabytes of memory that the server had."""
    serve = ("-m", "camelid", "serve", "--host", "127.0.0.1:0", "--until-stdin-closes")
    with process(*serve, OLLAMA_MODELS=str(models)) as (running, url):
        began = time.perf_counter()
        body = {"model": f"{host}/me/large", "insecure": True, "stream": False}
        answer = httpx.post(f"{url}/api/pull", json=body, timeout=600)
        took = time.perf_counter() - began
        assert answer.json() == {"status": "success"}, answer.text
        status = Path(f"/proc/{psutil.Process(running.pid).pid}/status").read_text("ascii")
        (peak,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        return took, int(peak) / 1024


def main(megabytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, hashed = Path(folder) / "large", hashlib.sha256()
        with file.open("wb") as target:
            for _ in range(megabytes):
                hashed.update(piece := os.urandom(1_000_000))
                target.write(piece)
        digest = f"sha256:{hashed.hexdigest()}"
        with process(__file__, str(file), digest) as (_server, host):
            for number in range(ROUNDS):
                url = f"http://{host}/v2/me/large/blobs/{digest}"
                theirs = curl(url, Path(folder) / "copy")
                (Path(folder) / "copy").unlink()
                ours, memory = pull(host, Path(folder) / f"models{number}")
                (Path(folder) / f"models{number}" / "blobs" / digest.replace(":", "-")).unlink()
                print(
                    f"curl {megabytes / theirs:.0f} MB/s, camelid {megabytes / ours:.0f} MB/s: "
                    f"{theirs / ours:.2f} of curl, at most {memory:.0f} MB of memory"
                )


if __name__ == "__main__":
    if len(sys.argv) > 2:
        serve_file(Path(sys.argv[1]), sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 1000)
