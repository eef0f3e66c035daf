"""Loading, the handshake, broken files, and the weight of the plugin module."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path

import msgspec

from camelid.decoding.lift import LIFTED
from camelid.errors import CamelidError
from camelid.testing.host import Host
from camelid.testing.outcomes import check, expect_error, not_run, variants
from camelid.testing.suite.generating import PROMPT, greedy
from camelid.types.artifact import ModelFile
from camelid.types.capabilities import Capability

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


@contextmanager
def _standard_output_to(path: Path) -> Iterator[None]:
    """Let everything that this process writes to its standard output, native code included, go into a file."""
    sys.stdout.flush()
    before = os.dup(1)
    try:
        with path.open("w", buffering=1, encoding="utf-8") as file, redirect_stdout(file):
            os.dup2(file.fileno(), 1)
            yield
            if os.name == "posix":
                ctypes.CDLL(None).fflush(None)  # what C code printed lies in a buffer of the C library
    finally:
        os.dup2(before, 1)
        os.close(before)


class LoadingCases:
    """Load, and refuse to load."""

    def test_facts_are_plausible(self, host: Host) -> None:
        """Proves that `Ready` tells the truth after loading. If it fails, look at `LoadedModel.facts`."""
        facts = host.facts
        asked = host.spec.options.context_length
        check(bool(facts.architecture), "the name of an architecture", facts.architecture)
        check(facts.vocabulary_size > 1, "a vocabulary", facts.vocabulary_size)
        check(0 < facts.context_length <= asked, f"a context of at most {asked} tokens", facts.context_length)

    def test_memory_is_reported(self, host: Host) -> None:
        """Proves that `/api/ps` can show a size. If it fails, look at `LoadedModel.memory`."""
        memory = host.client.ready.memory
        check(sum(use.total for use in memory) > 0, "the bytes that it takes", memory)

    def test_capabilities_are_among_the_declared(self, host: Host) -> None:
        """Proves that the descriptor promises all that a model can do. If it fails, look at both sets."""
        more = sorted(host.facts.capabilities - LIFTED - host.descriptor.capabilities)
        check(not more, "no capability that the descriptor does not have", more)

    def test_standard_output_is_left_alone(self, host: Host, tmp_path: Path) -> None:
        """Proves that nothing is printed where a command's answer, or a worker's frames, would stand.

        If it fails, look for a library that is too talkative: its messages belong to standard error, or to `logging`.
        """
        written = tmp_path / "stdout"
        with _standard_output_to(written), host.another(host.spec) as client:
            host.run(client.tokenize("seven apples", add_special=True, parse_special=True))
            if Capability.COMPLETION in client.ready.facts.capabilities:
                host.run(host.collect(greedy(PROMPT, tokens=2), client))
        came = written.read_text(errors="replace")
        check(not came, "nothing on standard output", came)

    def test_importing_the_plugin_loads_no_native_library(self, worker: Host) -> None:
        """Proves that the server stays light. If it fails, import the named modules inside a hook."""
        (entry,) = (entry for entry in entry_points(group="camelid") if entry.name == worker.spec.plugin)
        command = [sys.executable, "-c", _NATIVE_MODULES, entry.module]
        loaded = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()
        check(not loaded, "no native module", loaded)

    @variants("damage", ("random", "truncated", "empty"))
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
        error = expect_error(CamelidError, worker.start, msgspec.structs.replace(worker.spec, artifact=artifact))
        check(bool(error.message), "a sentence", error.message)
