"""The upstream backend against the kit; the upstream is a Camelid with the echo model, and with a real one."""

from pathlib import Path
from typing import ClassVar

import msgspec

from camelid.testing import BackendSuite
from camelid.types import LoadOptions, ModelArtifact, ModelFile

_COUNTED = "the limit is the upstream's tokens, of which some are several bytes, and bytes are what is counted here"


class _Suite(BackendSuite):
    backend = "upstream"
    options = LoadOptions(context_length=2048, parallel=4)
    model: ClassVar[str]
    """What the upstream calls it; `lab` is started in conftest.py."""

    def make_artifact(self, folder: Path) -> ModelArtifact:
        path = folder / "model.json"
        file = {"camelid_backend": "upstream", "upstream": "lab", "model": self.model, "accepts": ["raw", "options"]}
        path.write_bytes(msgspec.json.encode(file))
        return ModelArtifact(name="far", format="upstream", files=(ModelFile(path=str(path)),))


class TestEcho(_Suite):
    model = "camelid/echo"


class TestSmolLM2(_Suite):
    model = "smollm2:135m"
    expected_failures: ClassVar[dict[str, str]] = {
        "test_num_predict_is_exact": _COUNTED,
        "test_cancelling_frees_the_sequence": _COUNTED,
    }
