"""Takes blobs in parts as OCI has it, and is as narrow or as broken as a test wants."""

import json
import secrets
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from camelid.testing.loopback import LoopbackServer, Reply, Request


class UploadServer(LoopbackServer):
    def __init__(self, *, largest: int = 1 << 60, smallest: int = 0, parts: bool = True) -> None:
        super().__init__()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads: dict[str, bytearray] = {}
        self.cuts = 0
        """How many parts arrive by half, before the connection is closed."""
        self.busy = 0
        """How many parts after the first one are answered with 503, and do not count."""
        self._largest = largest
        """Bytes of a request."""
        self._smallest = smallest
        self._parts = parts
        """Whether there may be more than one."""
        """Bytes of a part, but for the last one."""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.command not in ("PATCH", "PUT") or "/uploads/" not in handler.path or not self.cuts:
            super().answer(handler)
            return
        self.cuts -= 1
        length = int(handler.headers["Content-Length"]) // 2
        received = handler.rfile.read(length)
        if handler.command == "PATCH":
            self.uploads[_session(handler.path)] += received
        self.requests.append(Request(handler.command, handler.path, {"cut": "yes"}, received))
        handler.close_connection = True
        handler.connection.close()

    def respond(self, request: Request) -> Reply:
        path = urlsplit(request.path).path
        if "/manifests/" in path:
            return self._manifest(request, path)
        if "/uploads/" in path:
            return self._upload(request, path)
        content = self.blobs.get(path.rpartition("/")[2])
        return Reply(404) if content is None else Reply(200, content, file=True)

    def _manifest(self, request: Request, path: str) -> Reply:
        if request.method == "PUT":
            assert all(layer["digest"] in self.blobs for layer in json.loads(request.body)["layers"])
            self.manifests[path] = request.body
            return Reply(201)
        return Reply(200, self.manifests[path]) if path in self.manifests else Reply(404)

    def _upload(self, request: Request, path: str) -> Reply:
        if request.method == "POST":
            self.uploads[session := secrets.token_hex(8)] = bytearray()
            headers = {"OCI-Chunk-Min-Length": str(self._smallest)} if self._smallest else {}
            return Reply(202, headers={"Location": f"{path}{session}?turn=0", **headers})
        session = _session(path)
        if session not in self.uploads:
            return Reply(404)
        if len(request.body) > self._largest:
            return Reply(413)
        if request.method == "PUT":
            return self._finish(session, request)
        taken, status = self.uploads[session], 204
        if request.method == "PATCH":
            status = self._append(taken, request)
        return Reply(status, headers={"Location": f"{path}?turn={len(taken)}", "Range": f"0-{max(0, len(taken) - 1)}"})

    def _append(self, taken: bytearray, request: Request) -> int:
        if self.busy and taken:
            self.busy -= 1
            return 503
        first, last = map(int, request.headers["content-range"].split("-"))
        if (taken and not self._parts) or first != len(taken) or last - first + 1 != len(request.body):
            return 416
        taken += request.body
        return 202

    def _finish(self, session: str, request: Request) -> Reply:
        content = bytes(self.uploads.pop(session)) + request.body
        digest = f"sha256:{sha256(content).hexdigest()}"
        if parse_qs(urlsplit(request.path).query)["digest"] != [digest]:
            return Reply(400, b"digest invalid")
        self.blobs[digest] = content
        return Reply(201)


def _session(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[2]
