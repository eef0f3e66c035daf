"""What the conformance kit found of the installed backends on this machine, kept beside the models."""

import os
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Final

import msgspec

from camelid.types.capabilities import Capability

__all__ = ("Proof", "Proofs", "Standing", "machine_name", "versions_behind")

_MOST_BYTES: Final = 1 << 18
"""Of a proof; a file that is larger is none."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """One run of the kit, of a backend with a model. A later one replaces it."""

    backend: str
    model: str
    """As people call it."""
    files: str
    """`ModelArtifact.key`: what was loaded."""
    versions: dict[str, str]
    """As `versions_behind` gave them."""
    machine: str
    """As `machine_name` gave it: the folder may be shared."""
    checked_at: str
    """ISO 8601, UTC."""
    verified: tuple[Capability, ...] = ()
    """All cases about it passed."""
    failed: tuple[Capability, ...] = ()
    """A case about it failed."""
    failures: tuple[str, ...] = ()
    """Names of the cases that failed, also of those about every backend's duties."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is proven of a backend, from one proof or several. Capabilities are words: a client may know fewer."""

    verified: tuple[str, ...]
    failed: tuple[str, ...]
    unproven: tuple[str, ...]
    """Declared, and neither of these: no run was about it."""
    failures: tuple[str, ...]
    models: tuple[str, ...]
    """With which it was run."""
    checked_at: str
    """The last run."""
    stale: bool
    """Another version was run, or another machine: it says nothing of what is installed here."""

    def __str__(self) -> str:
        """In a few words: `12 of 13 verified 2026-11-30, 1 failed: state-save`."""
        declared = len({*self.verified, *self.failed, *self.unproven})
        words = f"{len(self.verified)} of {declared} verified {self.checked_at[:10]}"
        if self.failed:
            words += f", {len(self.failed)} failed: {', '.join(self.failed)}"
        elif self.failures:
            words += f", but {', '.join(self.failures)} failed"
        return f"{words} (of another version or machine: run camelid check again)" if self.stale else words


class Proofs:
    """The proofs in a folder. What cannot be read there counts as never written."""

    def __init__(self, folder: Path) -> None:
        """Bind.

        Args:
            folder: made when something is written.
        """
        self._folder = folder

    def write(self, proof: Proof) -> Path:
        """Keep a proof; the file it is in.

        Raises:
            OSError: the folder cannot be written to.
        """
        digest = sha256(f"{proof.machine}\n{proof.files}".encode()).hexdigest()[:16]
        path = self._folder / f"{_plain(proof.backend)}-{digest}.json"
        self._folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n")
        part.replace(path)
        return path

    def standing(
        self, backend: str, distribution: str, declared: Iterable[Capability], *, files: str = ""
    ) -> Standing | None:
        """What is proven of a backend; None if nothing ever was.

        Args:
            backend: its name.
            distribution: that registered it.
            declared: what its descriptor promises.
            files: `ModelArtifact.key` of a model: where it was run with this one, nothing else counts.
        """
        found = [proof for proof in self._read() if proof.backend == backend]
        found = [proof for proof in found if files and proof.files == files] or found
        here = (versions_behind(distribution), machine_name())
        valid = [proof for proof in found if (proof.versions, proof.machine) == here]
        return _standing(valid or found, frozenset(declared), stale=not valid) if found else None

    def _read(self) -> Iterator[Proof]:
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return
        for path in paths:
            try:
                if path.is_file() and path.stat().st_size <= _MOST_BYTES:
                    yield msgspec.json.decode(path.read_bytes(), type=Proof)
            except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue


def _standing(proofs: Sequence[Proof], declared: frozenset[Capability], *, stale: bool) -> Standing:
    failed = frozenset(capability for proof in proofs for capability in proof.failed) & declared
    verified = frozenset(capability for proof in proofs for capability in proof.verified) & declared - failed
    return Standing(
        verified=_words(verified),
        failed=_words(failed),
        unproven=_words(declared - verified - failed),
        failures=tuple(sorted({case for proof in proofs for case in proof.failures})),
        models=tuple(sorted({proof.model for proof in proofs})),
        checked_at=max(proof.checked_at for proof in proofs),
        stale=stale,
    )


def _words(capabilities: Iterable[Capability]) -> tuple[str, ...]:
    return tuple(sorted(capability.value for capability in capabilities))


def machine_name() -> str:
    """What tells this machine from others that may see the same folder."""
    return f"{platform.node()} {platform.system()} {platform.machine()}"


def versions_behind(distribution: str) -> dict[str, str]:
    """The installed versions of a backend's distribution and of what it requires, its runtime among them."""
    try:
        requirements = metadata.requires(distribution) or ()
    except (metadata.PackageNotFoundError, ValueError):
        requirements = ()
    required = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    found: dict[str, str] = {}
    for name in (distribution, *(match[0] for match in required if match)):
        try:
            found[name] = metadata.version(name)
        except (metadata.PackageNotFoundError, ValueError):  # required by an extra, and not there
            continue
    return found


def _plain(name: str) -> str:
    """A backend's name as the beginning of a file's name, whatever a plugin calls it."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)
