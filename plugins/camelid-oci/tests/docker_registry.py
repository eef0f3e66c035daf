"""A real registry server on a loopback port. Tests elsewhere run this file for its names."""

import json
import re
import shutil
import subprocess
import time
from base64 import b64encode
from pathlib import Path
from typing import Self

import httpx
import pytest

from camelid.testing.loopback import LoopbackServer, Reply, Request

USER, PASSWORD = "camel", "wool"
_USERS = "camel:$2y$04$8.qGPbEHdPKIEPZWrEf/0.ByU0HcQq2S2.1oaiJ0R9GEjmvf1Arkm\n"
"""The line of `htpasswd` for both: bcrypt, with the least work."""
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:[1-9]\d*)")
_PROGRAM = "docker-registry"
_SECONDS_TO_START = 60


class DockerRegistry:
    """The program `docker-registry` with a folder of its own; enter it to serve."""

    def __init__(self, folder: Path, **settings: object) -> None:
        """Prepare; `settings` are top-level ones of its configuration, beside the usual."""
        self.host = ""
        """Host and port, once it serves."""
        self._folder = folder
        self._settings = settings

    def __enter__(self) -> Self:
        program = shutil.which(_PROGRAM)
        if program is None:
            pytest.fail(f"{_PROGRAM} is missing: install Debian's package of that name", pytrace=False)
        self._folder.mkdir(exist_ok=True)
        config, log = self._folder / "config.yml", self._folder / "log"
        storage = {"filesystem": {"rootdirectory": str(self._folder / "data")}, "delete": {"enabled": True}}
        # JSON is YAML.
        config.write_text(
            json.dumps({"version": 0.1, "storage": storage, "http": {"addr": "127.0.0.1:0"}, **self._settings})
        )
        with log.open("wb") as output:
            self._process = subprocess.Popen([program, "serve", config], stdout=output, stderr=output)
        until = time.monotonic() + _SECONDS_TO_START
        while not (match := _LISTENING.search(log.read_text())):
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                pytest.fail(f"{_PROGRAM} does not start: {log.read_text()[-2000:]}", pytrace=False)
            time.sleep(0.02)
        self.host = match[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def guard(folder: Path) -> dict[str, object]:
    """Settings of a registry that asks for a user and a password."""
    users = folder / "htpasswd"
    users.write_text(_USERS)
    return {"auth": {"htpasswd": {"realm": "test", "path": str(users)}}}


class FaultyProxy(LoopbackServer):
    """Passes everything on to a registry, and is as faulty as a test wants."""

    def __init__(self, registry: DockerRegistry, *, login: bool = False) -> None:
        super().__init__()
        self._registry = registry
        self._login = httpx.BasicAuth(USER, PASSWORD) if login else None
        """Shown by the proxy itself, for a host that asks nobody who he is."""

    def respond(self, request: Request) -> Reply:
        passed = {"accept", "content-type", "content-range", "authorization", "host"}
        headers = {name: value for name, value in request.headers.items() if name in passed}
        answer = httpx.request(
            request.method,
            f"http://{self._registry.host}{request.path}",
            headers=headers,
            content=request.body,
            auth=self._login,
        )
        kept = {"location", "www-authenticate", "content-type", "docker-content-digest", "range"}
        told = {name: value for name, value in answer.headers.items() if name in kept}
        is_file = answer.status_code == 200 and request.method == "GET" and "/blobs/" in request.path
        return Reply(answer.status_code, answer.content, told, file=is_file)


def write_login(folder: Path, *hosts: str, password: str = PASSWORD) -> None:
    """A `config.json` as `docker login` writes it."""
    auth = b64encode(f"{USER}:{password}".encode()).decode()
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth} for host in hosts}}))
