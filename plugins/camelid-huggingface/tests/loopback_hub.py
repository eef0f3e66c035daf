"""A Hub on the loopback interface, with a second server in the part of its CDN, and faults to inject."""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_loopback"


@dataclass
class Fault:
    """What happens to one request instead of its answer."""

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    """Bytes of the body, after which the connection ends."""
    body: bytes = b""


@dataclass
class HubRepository:
    files: dict[str, bytes]
    card: dict[str, object] | None = None
    gguf: dict[str, object] | None = None
    pipeline_tag: str = "text-generation"
    private: bool = False
    gated: bool = False
    unhashed: frozenset[str] = frozenset()

    def is_large(self, path: str) -> bool:
        return path.endswith((".gguf", ".safetensors", ".onnx", ".data")) and path not in self.unhashed


@dataclass
class Seen:
    """A request that came."""

    server: str
    path: str
    headers: Message
    client: tuple[str, int]


class LoopbackHub:
    """Speaks the parts of the Hub's API that a pull needs."""

    def __init__(self) -> None:
        self.repositories: dict[str, HubRepository] = {}
        self.renames: dict[str, str] = {}
        self.faults: dict[str, list[Fault]] = {}
        """By the beginning of a path; used up one by one."""
        self.seen: list[Seen] = []
        self._hub = self._start("hub")
        self._cdn = self._start("cdn")
        self.url = f"http://127.0.0.1:{self._hub.server_address[1]}"
        self.cdn_address = f"localhost:{self._cdn.server_address[1]}"
        self.cdn_url = f"http://{self.cdn_address}"

    def add(self, name: str, files: Mapping[str, bytes | str], **more: object) -> HubRepository:
        content = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        self.repositories[name] = HubRepository(content, **more)
        return self.repositories[name]

    def paths(self, server: str) -> list[str]:
        return [seen.path for seen in self.seen if seen.server == server]

    def tokens(self, server: str) -> set[str | None]:
        return {seen.headers["authorization"] for seen in self.seen if seen.server == server}

    def close(self) -> None:
        for server in (self._hub, self._cdn):
            server.shutdown()
            server.server_close()

    def _start(self, part: str) -> ThreadingHTTPServer:
        hub = self

        class Handler(_Handler):
            server_part = part
            owner = hub

        server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return server

    def take_fault(self, path: str) -> Fault | None:
        for beginning, faults in self.faults.items():
            if path.startswith(beginning) and faults:
                return faults.pop(0)
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients leave in the middle of an answer; that is what is tested."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_part = ""
    owner: LoopbackHub

    def do_GET(self) -> None:
        self.owner.seen.append(Seen(self.server_part, self.path, self.headers, self.client_address))
        fault = self.owner.take_fault(self.path)
        if fault is not None and fault.status:
            self._send(fault.status, fault.body, fault.headers)
        elif self.server_part == "cdn":
            self._send_file(self._blob(self.path.rpartition("/")[2].partition("?")[0]), fault)
        else:
            self._answer(fault)

    def _answer(self, fault: Fault | None) -> None:
        path = unquote(urlsplit(self.path).path)
        new = next((self.path.replace(old, new) for old, new in self.owner.renames.items() if f"/{old}" in path), None)
        if new is not None:
            return self._send(307, b"", {"location": new})
        about = re.fullmatch(r"/api/models/([^/]+/[^/]+)", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        found = about or file
        repository = self.owner.repositories.get(found[1]) if found else None
        authorized = self.headers["authorization"] == f"Bearer {TOKEN}"
        if self.headers["authorization"] is not None and not authorized:
            return self._send(401, b"", {"x-error-message": "Invalid credentials in Authorization header"})
        if repository is None or (repository.private and not authorized):
            return self._send(401, b'{"error":"Invalid username or password."}', {"x-error-code": "RepoNotFound"})
        if about is not None:
            return self._send(200, json.dumps(_describe(found[1], repository)).encode(), {}, fault)
        return self._resolve(repository, file, authorized, fault)

    def _resolve(self, repository: HubRepository, file: re.Match[str], authorized: bool, fault: Fault | None) -> None:
        if repository.gated and not authorized:
            return self._send(401, b"Access is restricted.", {"x-error-code": "GatedRepo"})
        if file[2] != COMMIT or file[3] not in repository.files:
            return self._send(404, b"Entry not found", {"x-error-code": "EntryNotFound"})
        content = repository.files[file[3]]
        if repository.is_large(file[3]):
            target = f"{self.owner.cdn_url}/xet/{hashlib.sha256(content).hexdigest()}?signature=s"
            return self._send(302, b"", {"location": target, "x-linked-size": str(len(content))})
        return self._send_file(content, fault)

    def _blob(self, digest: str) -> bytes | None:
        every = (content for repository in self.owner.repositories.values() for content in repository.files.values())
        return next((content for content in every if hashlib.sha256(content).hexdigest() == digest), None)

    def _send_file(self, content: bytes | None, fault: Fault | None) -> None:
        if content is None:
            return self._send(404, b"")
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["range"] or "")
        if asked is None:
            return self._send(200, content, {}, fault)
        begin, end = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        if begin >= len(content):
            return self._send(416, b"", {"content-range": f"bytes */{len(content)}"})
        headers = {"content-range": f"bytes {begin}-{end}/{len(content)}"}
        return self._send(206, content[begin : end + 1], headers, fault)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] = {}, fault: Fault | None = None) -> None:
        self.send_response(status)
        for name, value in {**headers, **(fault.headers if fault else {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if fault is not None and fault.cut_after is not None:
            body, self.close_connection = body[: fault.cut_after], True
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _describe(name: str, repository: HubRepository) -> dict[str, object]:
    siblings = []
    for path, content in repository.files.items():
        file: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": "0" * 40}
        if repository.is_large(path):
            digest = hashlib.sha256(content).hexdigest()
            file |= {"lfs": {"sha256": digest, "size": len(content), "pointerSize": 134}}
        siblings.append(file)
    described: dict[str, object] = {
        "_id": "1",
        "id": name,
        "sha": COMMIT,
        "private": repository.private,
        "gated": "manual" if repository.gated else False,
        "disabled": False,
        "pipeline_tag": repository.pipeline_tag,
        "siblings": siblings,
    }
    if repository.card is not None:
        described["cardData"] = repository.card
    if repository.gguf is not None:
        described["gguf"] = repository.gguf
    return described
