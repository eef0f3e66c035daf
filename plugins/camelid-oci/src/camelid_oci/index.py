"""Indexes: several manifests under one name, of which one is the model."""

import platform
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from camelid.contracts.distribution import manifests
from camelid.contracts.distribution.client import Client
from camelid.contracts.distribution.manifests import Descriptor
from camelid.errors import RegistryError
from camelid.types.names import ModelName
from camelid_oci.references import manifest_url, repository_url

__all__ = ("MANIFEST", "fetch_one")

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_CHOICES: Final = (MANIFEST, _DOCKER_MANIFEST, *_INDEXES)
_ACCEPT: Final = ", ".join(_CHOICES)
_DEEPEST: Final = 3
"""Indexes in indexes."""
_MODELS: Final = ("application/vnd.camelid.model.", "application/vnd.cncf.model.", "application/vnd.docker.ai.model.")
"""How the artifact types of models begin."""
_PURPOSE: Final = "vnd.docker.reference.type"
"""The annotation of what only says something about another manifest."""
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
"""As Go calls them, by what the system says; the same for the others."""


class _Platform(msgspec.Struct, frozen=True):
    os: str = ""
    architecture: str = ""


class _Entry(Descriptor, frozen=True, rename="camel"):
    artifact_type: str = ""
    platform: _Platform | None = None

    @property
    def machine(self) -> _Platform:
        """What it is for; nothing in particular, if it does not say."""
        return self.platform or _Platform()


class _Index(msgspec.Struct):
    manifests: list[_Entry] | None = None


def fetch_one(client: Client, name: ModelName) -> bytes | None:
    """The manifest that a name stands for, and no index; None if the host does not know it.

    Of an index it is the only one that says that it is a model, or the only one at all, or else the one for this
    machine. Whoever said a digest gets exactly that, or what an index of that digest says.

    Raises:
        RegistryError: the host refused, sent another than it should, or it is not clear which one is wanted.
        OSError: the host cannot be reached.
    """
    url, digest, size = manifest_url(name), name.digest, None
    for _depth in range(_DEEPEST + 1):
        content = manifests.fetch_manifest(client, url, _ACCEPT)
        if content is None and size is None:
            return None
        if content is None or size not in (None, len(content)) or digest not in ("", _digest_of(content)):
            raise RegistryError("the registry sends another manifest than was asked for", reason=f"{digest} of {name}")
        entries = _entries(content)
        if not entries:
            return content
        chosen = _choose(entries)
        digest, size = chosen.source(repository_url(name)).digest, chosen.size
        url = f"{repository_url(name)}/manifests/{digest}"
    raise RegistryError("the registry has indexes in indexes: name a manifest as @sha256:…", reason=f"{name}: {url}")


def _digest_of(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def _entries(content: bytes) -> list[_Entry]:
    """What an index lists; nothing if it is none, which is then said of it as a manifest."""
    try:
        return msgspec.json.decode(content, type=_Index).manifests or []
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


def _choose(entries: Sequence[_Entry]) -> _Entry:
    """Look more and more closely, until one is left.

    Raises:
        RegistryError: several are, or none was there.
    """
    known = [entry for entry in entries if entry.media_type in _CHOICES and not entry.annotation(_PURPOSE)]
    left = known
    for suits in _TESTS:
        left = [entry for entry in left if suits(entry)] or left
        if len(left) == 1:
            return left[0]
    digests = ", ".join(f"{entry.digest[:80]} ({entry.artifact_type[:80]})" for entry in left[:8])
    if not left:
        raise RegistryError("the registry's index lists no manifest of a model", reason=f"{len(entries)} others")
    raise RegistryError(
        f"there are {len(left)} manifests under this name: say which one as @sha256:…", reason=f"there are {digests}"
    )


def _is_model(entry: _Entry) -> bool:
    return entry.artifact_type.startswith(_MODELS)


def _is_for_this_architecture(entry: _Entry) -> bool:
    machine = platform.machine().lower()
    return entry.machine.architecture == _ARCHITECTURES.get(machine, machine)


def _is_for_this_system(entry: _Entry) -> bool:
    return entry.machine.os == platform.system().lower()


_TESTS: Final[tuple[Callable[[_Entry], bool], ...]] = (_is_model, _is_for_this_architecture, _is_for_this_system)
