"""Whether a store survives `kill -9`: `python tests/benchmarks/killing.py [TIMES] [PULLS] [SEED]`; else 200, 50 and 0.

A server pulls, creates and deletes models, and is killed at a random moment of each, `TIMES` times. The next one must
list no model that does not load, know what was answered before the kill, and leave no temporary file for good.

Then one pull of a large model is killed at `PULLS` random bytes in a row. No byte that was recorded as being here may
be asked for again, and in the end the model must load.
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

from camelid.store.transfer_partial import PREFIX, Partial
from camelid.testing.loopback import Fault

LOOPBACK = runpy.run_path(str(Path(__file__).parents[2] / "plugins/camelid-ollama-registry/tests/loopback_registry.py"))
MANIFESTS = "manifests/registry.ollama.ai/library"
LICENSE = "application/vnd.ollama.image.license"
CONFIG = b'{"model_format":"echo"}\n'
NAMES = 3
LARGE = 140_000_000
"""Bytes of the model that is killed in a row: three segments."""
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
            answer = httpx.request(method, f"{url}{path}", json=body, timeout=300)
        except httpx.TransportError:
            self.cut_off = True
            return
        assert answer.status_code == 200, f"{self.kind} {self.name}: {answer.text}"
        self.succeeded = True

    @contextmanager
    def running(self, url: str) -> Iterator[threading.Thread]:
        """Ask in a thread, whose end is waited for."""
        asking = threading.Thread(target=self.run, args=(url,))
        asking.start()
        try:
            yield asking
        finally:
            asking.join()


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
            for kind in ("pull", "create", "delete"):
                with self.server() as (_process, url):
                    moment = self._moment(kind, url, 0)
                    began = time.monotonic()
                    moment.run(url)
                    lasts[kind] = time.monotonic() - began
            last: Moment | None = None
            for _ in range(times):
                with self.server() as (process, url):
                    self.check(url, last)
                    kind = self._random.choice(sorted(lasts))
                    last = self._moment(kind, url, self._random.randrange(NAMES))
                    with last.running(url):
                        time.sleep(self._random.uniform(0, 1.2 * lasts[kind]))
                        process.kill()
                        process.wait()
                cut[kind] += last.cut_off
            with self.server() as (_process, url):
                self.check(url, last)
        self.check_remains()
        return cut

    def pull(self, times: int, size: int = LARGE) -> tuple[int, int]:
        """Kill a pull of `size` bytes so often; how many times it was cut off, and the bytes on their way in vain."""
        weights = {"camelid_backend": "echo", "padding": self._random.randbytes(size // 2).hex()}
        content = json.dumps(weights).encode()
        digest = LOOPBACK["digest_of"](content)
        self._registry.put("library/large:latest", (LOOPBACK["MODEL"], content), config=CONFIG)
        moment, recorded, cut = Moment("POST", "/api/pull", {"model": "large", "stream": False}), [], 0
        with self._registry as registry:
            registry.inject(Fault.SLOW)
            for byte in sorted(self._random.sample(range(size), times)):
                with self.server() as (process, url):
                    until = registry.sent + byte - sum(map(len, recorded))
                    moment.cut_off, known = False, len(registry.requests)
                    with moment.running(url) as asking:
                        while asking.is_alive() and registry.sent < until:
                            time.sleep(0.001)
                        process.kill()
                        process.wait()
                cut += moment.cut_off
                self._check_requests(known, digest, recorded)
                recorded = self._recorded(digest, len(content))
            with self.server() as (_process, url):
                known = len(registry.requests)
                moment.run(url)
                self._check_requests(known, digest, recorded)
                self.check(url, moment)
        self.check_remains()
        return cut, registry.sent - len(content) - len(CONFIG)

    def _check_requests(self, known: int, digest: str, recorded: list[range]) -> None:
        """What was asked for since the first `known` requests is nothing of what is recorded."""
        for request in self._registry.requests[known:]:
            if request.path.endswith(digest):
                first, _, last = request.headers["range"].removeprefix("bytes=").partition("-")
                asked = range(int(first), int(last) + 1)
                twice = [part for part in recorded if asked.start < part.stop and part.start < asked.stop]
                assert not twice, f"{asked} was asked for and {twice} was here"

    def _recorded(self, digest: str, size: int) -> list[range]:
        """The parts of a blob that are here."""
        blobs, name = self.models / "blobs", digest.partition(":")[2]
        if not (blobs / f"{PREFIX}{name}").exists():
            return [range(size)] if (blobs / f"sha256-{name}").exists() else []
        partial = Partial(blobs, digest, size, size)
        begins = range(0, size, partial.segment)
        parts = [range(begin, partial.rest(index)[0]) for index, begin in enumerate(begins)]
        partial.close()
        return [part for part in parts if part]

    def _moment(self, kind: str, url: str, number: int) -> Moment:
        """What is to be done; what it needs is done before."""
        pulled, made = f"pulled{number}", f"made{number}"
        pull = Moment("POST", "/api/pull", {"model": pulled, "stream": False})
        if kind == "pull":
            return pull
        texts = {"system": str(self._random.random()), "license": self._random.randbytes(1_000_000).hex()}
        create = Moment("POST", "/api/create", {"model": made, "from": pulled, "stream": False, **texts})
        if kind == "create":
            return create
        target = self._random.choice((pull, create))
        if target.name not in self._listed(url):
            target.run(url)
        return Moment("DELETE", "/api/delete", {"model": target.name})

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
        listed = self._listed(url)
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
            names = [path.name for path in (self.models / MANIFESTS).iterdir()]
        wanted = {digest.replace(":", "-") for name in names for digest in self._digests(name)}
        left = {path.name for path in (self.models / "blobs").iterdir() if path.name != ".leases"}
        assert left == wanted, f"left for good: {sorted(left - wanted)}"
        assert list((self.models / "manifests").glob(".*")) == []

    def _listed(self, url: str) -> list[str]:
        models = httpx.get(f"{url}/api/tags").json()["models"]
        return [model["name"].partition(":")[0] for model in models]

    def _digests(self, name: str) -> list[str]:
        manifest = json.loads((self.models / MANIFESTS / name / "latest").read_bytes())
        return [layer["digest"] for layer in (*manifest["layers"], manifest["config"])]


def main(times: int, pulls: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        cut = Killing(Path(folder), seed).run(times)
    print(f"{times} kills, seed {seed}: {', '.join(f'{number} {kind} cut off' for kind, number in cut.items())}")
    with tempfile.TemporaryDirectory() as folder:
        cuts, vain = Killing(Path(folder), seed).pull(pulls)
    print(
        f"a pull of {LARGE / 1e6:.0f} MB, cut off {cuts} times: 0 recorded bytes asked for again, "
        f"{vain / max(1, cuts) / 1e3:.0f} kB a kill sent and not recorded"
    )


if __name__ == "__main__":
    main(*map(int, (sys.argv[1:] + ["200", "50", "0"][len(sys.argv) - 1 :])))
