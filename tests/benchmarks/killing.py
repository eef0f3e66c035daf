"""Whether a store survives `kill -9`: `python tests/benchmarks/killing.py [TIMES] [SEED]`; without them 200 times.

A server pulls, creates and deletes models, and is killed at a random moment of each. The next one must list no model
that does not load, know what was answered before the kill, and leave no temporary file for good.
"""

import hashlib
import json
import os
import random
import runpy
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from camelid.testing.loopback import Fault

LOOPBACK = runpy.run_path(str(Path(__file__).parents[2] / "plugins/camelid-ollama-registry/tests/loopback_registry.py"))
LICENSE = "application/vnd.ollama.image.license"
CONFIG = b'{"model_format":"echo"}\n'
NAMES = 3
DAYS = 2 * 86400


class Moment:
    """One operation and what came of it."""

    def __init__(self, method: str, path: str, body: dict[str, object]) -> None:
        self.kind = path.rpartition("/")[2]
        self.name = str(body["model"])
        self._request = (method, path, body)
        self.succeeded = False
        self.cut_off = False

    def run(self, url: str) -> None:
        """Ask the server, which may die meanwhile."""
        method, path, body = self._request
        try:
            answer = httpx.request(method, f"{url}{path}", json=body, timeout=100)
        except httpx.TransportError:
            self.cut_off = True
            return
        refused = answer.status_code == 404 and self.kind == "delete"
        assert refused or answer.status_code == 200, f"{self.kind} {self.name}: {answer.text}"
        self.succeeded = not refused


class Killing:
    """A store, and servers that are killed one after the other."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.models = folder / "models"
        self._log = folder / "log"
        self._random = random.Random(seed)
        self._registry = LOOPBACK["OllamaServer"]()
        shared = os.urandom(1_000_000).hex().encode()
        for number in range(NAMES):
            weights = {"camelid_backend": "echo", "padding": os.urandom(400_000).hex()}
            layers = ((LOOPBACK["MODEL"], json.dumps(weights).encode()), (LICENSE, shared))
            self._registry.put(f"library/pulled{number}:latest", *layers, config=CONFIG)

    def run(self, times: int) -> Counter[str]:
        """Kill that often; how many of each operation were cut off."""
        cut: Counter[str] = Counter()
        with self._registry as registry:
            registry.inject(Fault.SLOW)
            lasts = {}
            for moment in map(self._moment, ("pull", "create", "delete"), (0, 0, 0)):
                with self.server() as (_process, url):
                    began = time.monotonic()
                    moment.run(url)
                    lasts[moment.kind] = time.monotonic() - began
            last: Moment | None = None
            for _ in range(times):
                with self.server() as (process, url):
                    self.check(url, last)
                    last = self._moment(self._random.choice(sorted(lasts)), self._random.randrange(NAMES))
                    asking = threading.Thread(target=last.run, args=(url,))
                    asking.start()
                    time.sleep(self._random.uniform(0, 1.2 * lasts[last.kind]))
                    process.kill()
                    process.wait()
                    asking.join()
                cut[last.kind] += last.cut_off
            with self.server() as (_process, url):
                self.check(url, last)
        self.check_remains()
        return cut

    def _moment(self, kind: str, number: int) -> Moment:
        if kind == "pull":
            return Moment("POST", "/api/pull", {"model": f"pulled{number}", "stream": False})
        if kind == "create":
            texts = {"system": str(self._random.random()), "license": self._random.randbytes(1_000_000).hex()}
            body = {"model": f"made{number}", "from": f"pulled{number}", "stream": False, **texts}
            return Moment("POST", "/api/create", body)
        return Moment("DELETE", "/api/delete", {"model": f"{self._random.choice(('pulled', 'made'))}{number}"})

    @contextmanager
    def server(self) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        """A server on the store."""
        mirror = f"registry.ollama.ai=http://{self._registry.host}"
        settings = {"CAMELID_SPARE_WORKER": "false", "CAMELID_REGISTRY_MIRRORS": mirror}
        with (
            self._log.open("ab") as log,
            subprocess.Popen(
                [sys.executable, "-m", "camelid", "serve", "--host", "127.0.0.1:0", "--until-stdin-closes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "OLLAMA_MODELS": str(self.models), **settings},
            ) as process,
        ):
            try:
                first = process.stdout.readline().decode()
                assert first.startswith("listening on http://"), self._log.read_text()
                yield process, first.split()[-1]
            finally:
                process.kill()

    def check(self, url: str, last: Moment | None) -> None:
        """Every model that is listed is whole and answers; what was answered before the kill is true."""
        listed = [model["name"].partition(":")[0] for model in httpx.get(f"{url}/api/tags").json()["models"]]
        if last is not None and last.succeeded:
            assert (last.name in listed) == (last.kind != "delete"), f"{last.kind} {last.name} is undone: {listed}"
        for name in listed:
            for digest in self._digests(name):
                content = (self.models / "blobs" / digest.replace(":", "-")).read_bytes()
                assert f"sha256:{hashlib.sha256(content).hexdigest()}" == digest, f"{name}: {digest} is damaged"
            body = {"model": name, "prompt": "hello", "raw": True, "stream": False}
            answer = httpx.post(f"{url}/api/generate", json=body, timeout=100)
            assert answer.json().get("response") == "hello", f"{name} is listed and does not load: {answer.text}"

    def check_remains(self) -> None:
        """A day later a server removes everything that is no model's."""
        for path in self.models.rglob("*"):
            os.utime(path, (time.time() - DAYS,) * 2)
        with self.server() as (_process, url):
            httpx.get(f"{url}/api/tags").raise_for_status()
            names = [path.name for path in (self.models / "manifests/registry.ollama.ai/library").iterdir()]
        wanted = {digest.replace(":", "-") for name in names for digest in self._digests(name)}
        left = {path.name for path in (self.models / "blobs").iterdir() if path.name != ".leases"}
        assert left == wanted, f"left for good: {sorted(left - wanted)}"
        assert list((self.models / "manifests").glob(".*")) == []

    def _digests(self, name: str) -> list[str]:
        manifest = json.loads((self.models / "manifests/registry.ollama.ai/library" / name / "latest").read_bytes())
        return [layer["digest"] for layer in (*manifest["layers"], manifest["config"])]


def main(times: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cut = Killing(Path(folder), seed).run(times)
    print(f"{times} kills, seed {seed}: {', '.join(f'{number} {kind} cut off' for kind, number in cut.items())}")


if __name__ == "__main__":
    main(*map(int, (sys.argv[1:] + ["200", "0"][len(sys.argv) - 1 :])))
