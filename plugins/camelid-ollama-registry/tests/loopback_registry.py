"""A loopback server that speaks Ollama's protocol (contract 14). Tests elsewhere run this file for its names."""

import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from camelid.testing.loopback import LoopbackServer, Reply, Request

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
MODEL = "application/vnd.ollama.image.model"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class OllamaServer(LoopbackServer):
    """Repositories in memory; with `guarded`, whoever has no token is sent to fetch one."""

    def __init__(self, *, guarded: bool = False, blobs: dict[str, bytes] | None = None) -> None:
        super().__init__()
        self.blobs: dict[str, bytes] = {} if blobs is None else blobs
        self.repositories: dict[str, set[str]] = {}
        """Digests by repository, which mounts need."""
        self.manifests: dict[str, bytes] = {}
        """By `ns/model:tag`."""
        self.uploads: dict[str, bytearray] = {}
        self.guarded = guarded
        self.realm = ""
        self.tokens: set[str] = set()
        self.storage: LoopbackServer | None = None
        """Where parts of uploads are sent, if not here."""

    def put(self, name: str, *layers: tuple[str, bytes], config: bytes = b'{"model_format":"gguf"}\n') -> bytes:
        described = [self._store(kind, content) for kind, content in (*layers, (CONFIG, config))]
        content = json.dumps(
            {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[-1], "layers": described[:-1]}
        )
        self.manifests[name] = content.encode()
        self.repositories.setdefault(name.partition(":")[0], set()).update(layer["digest"] for layer in described)
        return content.encode()

    def _store(self, kind: str, content: bytes) -> dict[str, object]:
        self.blobs[digest_of(content)] = content
        return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}

    def respond(self, request: Request) -> Reply:
        url = urlsplit(request.path)
        if url.path == "/token":
            return self._token(request)
        if self.guarded and request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            realm = self.realm or f"http://{self.host}/token"
            challenge = f'Bearer realm="{realm}",service="test",scope="repository:{url.path}:pull repository:x:push"'
            return Reply(401, headers={"WWW-Authenticate": challenge})
        _, _, namespace, model, kind, *rest = url.path.split("/")
        repository = f"{namespace}/{model}"
        if kind == "manifests":
            return self._manifest(request, f"{repository}:{rest[0]}")
        if rest[0] == "uploads":
            return self._upload(request, repository, rest[1], parse_qs(url.query))
        content = self.blobs.get(rest[0])
        return Reply(404) if content is None else Reply(200, content, file=True)

    def _manifest(self, request: Request, name: str) -> Reply:
        if request.method == "PUT":
            missing = [layer for layer in json.loads(request.body)["layers"] if layer["digest"] not in self.blobs]
            self.manifests[name] = request.body
            return Reply(400, b"missing blobs") if missing else Reply(201)
        content = self.manifests.get(name)
        assert request.headers["accept"] == MANIFEST
        return Reply(404) if content is None else Reply(200, content)

    def _upload(self, request: Request, repository: str, session: str, query: dict[str, list[str]]) -> Reply:
        if request.method == "POST":
            if query.get("mount", [""])[0] in self.repositories.get(query.get("from", [""])[0], ()):
                return Reply(201)
            session = secrets.token_hex(8)
            self.uploads[session] = bytearray()
            return Reply(202, headers={"Location": f"/v2/{repository}/blobs/uploads/{session}?state=0"})
        if request.method == "PATCH":
            following = f"/v2/{repository}/blobs/uploads/{session}?state={len(request.body)}"
            if self.storage is not None:
                address = f"http://{self.storage.host}/storage/{session}"
                return Reply(307, headers={"Location": address, "Docker-Upload-Location": following})
            self.uploads[session] += request.body
            return Reply(202, headers={"Docker-Upload-Location": following})
        content = bytes(self.uploads.pop(session))
        etag = f"{hashlib.md5(hashlib.md5(content).digest()).hexdigest()}-1"
        if query["digest"] != [digest_of(content)] or query["etag"] != [etag]:
            return Reply(400, b"digest invalid")
        self.blobs[digest_of(content)] = content
        return Reply(201)

    def _token(self, request: Request) -> Reply:
        public, _, signature = request.headers["authorization"].partition(":")
        key = load_ssh_public_key(f"ssh-ed25519 {public}".encode())
        nothing = base64.b64encode(hashlib.sha256(b"").hexdigest().encode()).decode()
        try:
            key.verify(base64.b64decode(signature), f"GET,http://{self.host}{request.path},{nothing}".encode())
        except InvalidSignature:
            return Reply(403)
        self.tokens.add(token := secrets.token_hex(8))
        return Reply(200, json.dumps({"token": token}).encode())


class Storage(LoopbackServer):
    """Takes parts of uploads for another server, as a cloud's storage does."""

    def __init__(self, server: OllamaServer) -> None:
        super().__init__()
        self._server = server

    def respond(self, request: Request) -> Reply:
        self._server.uploads[request.path.rpartition("/")[2]] += request.body
        return Reply(200)
