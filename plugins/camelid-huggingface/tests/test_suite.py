import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from camelid.contracts.registry import Registry
from camelid.testing.loopback import LoopbackServer, Reply, Request
from camelid.testing.registry import RegistrySuite
from camelid.testing.registry_source import RegistrySource
from camelid.types.names import ModelName
from camelid_huggingface.hub import Hub
from camelid_huggingface.registry import HubModels

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class _Hub(LoopbackServer):
    """A Hub that hands files over itself."""

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, bytes] = {}

    def respond(self, request: Request) -> Reply:
        about = re.fullmatch(r"/api/models/me/([^/]+)\?blobs=true", request.path)
        if about and about[1] in self.models:
            content = self.models[about[1]]
            lfs = {"sha256": sha256(content).hexdigest(), "size": len(content)}
            file = {"rfilename": "model-Q4_K_M.gguf", "size": len(content), "lfs": lfs}
            return Reply(200, json.dumps({"sha": COMMIT, "siblings": [file]}).encode())
        file = re.fullmatch(rf"/me/([^/]+)/resolve/{COMMIT}/model-Q4_K_M\.gguf", request.path)
        if file and file[1] in self.models:
            return Reply(200, self.models[file[1]], file=True)
        return Reply(401, headers={"X-Error-Code": "RepoNotFound"})


class _Source(RegistrySource):
    def __init__(self) -> None:
        self.server: _Hub = _Hub()

    def make_registry(self) -> Registry:
        return HubModels(Hub(f"http://{self.server.host}"))

    def publish(self, model: str, weights: bytes) -> ModelName:
        self.server.models[model] = weights
        return ModelName.parse(f"hf.co/me/{model}:Q4_K_M")

    def make_mirror(self) -> LoopbackServer:
        mirror = _Hub()
        mirror.models = self.server.models
        return mirror


class TestHub(RegistrySuite):
    def make_source(self, folder: Path) -> RegistrySource:
        return _Source()


@pytest.fixture(autouse=True)
def _token(monkeypatch):
    """A token, so that the suite sees where it travels."""
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
