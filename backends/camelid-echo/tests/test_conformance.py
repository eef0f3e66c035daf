"""The echo backend against the kit, in each of its tiers."""

from pathlib import Path

from camelid.testing import BackendSuite
from camelid.types import LoadOptions, ModelArtifact, ModelFile


class _EchoSuite(BackendSuite):
    backend = "echo"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = folder / "model"
        path.write_text('{"camelid_backend": "echo"}')
        return ModelArtifact(name="camelid/echo", format="echo", files=(ModelFile(path=str(path)),))


def _options(tier: str) -> LoadOptions:
    return LoadOptions(context_length=512, parallel=4, batch_tokens=128, backend={"tier": tier})


class TestDecoder(_EchoSuite):
    options = _options("decoder")


class TestBatchDecoder(_EchoSuite):
    options = _options("batch")


class TestEngine(_EchoSuite):
    options = _options("engine")
