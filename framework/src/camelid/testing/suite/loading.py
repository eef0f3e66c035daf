"""Loading, the handshake, broken files, and the weight of the plugin module."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import msgspec
import pytest

from camelid.decoding.lift import LIFTED
from camelid.errors import CamelidError
from camelid.testing.host import Host
from camelid.testing.outcomes import not_run
from camelid.types.artifact import ModelFile

__all__ = ("LoadingCases",)

_NATIVE_MODULES = """
import importlib, sys
importlib.import_module(sys.argv[1])
allowed = {"msgspec", "pluggy", "camelid"}
for name, module in sorted(sys.modules.items()):
    file = getattr(module, "__file__", None) or ""
    if "site-packages" in file and file.endswith((".so", ".pyd", ".dylib")) and name.split(".")[0] not in allowed:
        print(name)
"""


class LoadingCases:
    """Load, and refuse to load."""

    def test_facts_are_plausible(self, host: Host) -> None:
        """Proves that `Ready` tells the truth after loading. If it fails, look at `LoadedModel.facts`."""
        facts = host.facts
        assert facts.architecture
        assert facts.vocabulary_size > 1
        assert 0 < facts.context_length <= host.spec.options.context_length
        assert host.client.ready.backend == host.spec.backend

    def test_memory_is_reported(self, host: Host) -> None:
        """Proves that `/api/ps` can show a size. If it fails, look at `LoadedModel.memory`."""
        memory = host.client.ready.memory
        assert memory
        assert sum(use.total for use in memory) > 0

    def test_capabilities_are_among_the_declared(self, host: Host) -> None:
        """Proves that the descriptor promises all that a model can do. If it fails, look at both sets."""
        assert host.facts.capabilities - LIFTED <= host.descriptor.capabilities

    def test_importing_the_plugin_loads_no_native_library(self, worker: Host) -> None:
        """Proves that the server stays light. If it fails, import the named modules inside a hook."""
        (entry,) = (entry for entry in entry_points(group="camelid") if entry.name == worker.spec.plugin)
        command = [sys.executable, "-c", _NATIVE_MODULES, entry.module]
        loaded = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
        assert loaded == []

    @pytest.mark.parametrize("damage", ["random", "truncated", "empty"])
    def test_broken_file_is_one_clear_error(self, worker: Host, damage: str, tmp_path: Path) -> None:
        """Proves that a damaged file fails alone, with a sentence. If it fails, look at `camelid_load_model`.

        Only in a worker: a native crash would end the tests, and surviving it is what workers are for.
        """
        original = worker.spec.artifact.model
        if not Path(original.path).is_file():
            not_run("the model is not a single file")
        content = Path(original.path).read_bytes()
        damaged = {"random": bytes(range(256)) * 64, "truncated": content[: len(content) // 2], "empty": b""}[damage]
        path = tmp_path / "damaged"
        path.write_bytes(damaged)
        artifact = msgspec.structs.replace(worker.spec.artifact, files=(ModelFile(path=str(path)),))
        with pytest.raises(CamelidError) as caught:
            worker.start(msgspec.structs.replace(worker.spec, artifact=artifact))
        assert caught.value.message
