"""The ONNX backend against the kit."""

import os
from pathlib import Path

from camelid.testing import BackendSuite, not_run
from camelid.types import ModelArtifact, ModelFile
from camelid.types.artifact import FileRole

_REAL = Path("/work/shared/models/smollm2-135m-onnx")


class TestSmolLM2(BackendSuite):
    backend = "onnx"

    def make_artifact(self, folder: Path) -> ModelArtifact:
        return ModelArtifact(name="smollm2", format="onnx", files=tuple(ModelFile(path=str(p), name=p.name) for p in sorted(_REAL.iterdir(), key=lambda p: p.suffix != ".onnx")))
