"""Where a name is asked for."""

from typing import Final

from camelid.errors import RequestError
from camelid.types.names import ModelName

__all__ = ("HUB", "manifest_url", "repository_at", "repository_url")

HUB: Final = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
"""What Docker's own registry is called; the last one answers."""
_HUB_HOST: Final = "registry-1.docker.io"
_HUB_NAMESPACE: Final = "library"
"""Of its repositories whose path has one component."""


def repository_url(name: ModelName) -> str:
    """Where a repository is: `https://host/v2/path`."""
    hub = name.host.lower() in HUB
    path = name.repository
    path = f"{_HUB_NAMESPACE}/{path}" if hub and "/" not in path else path
    return f"{name.transport}://{_HUB_HOST if hub else name.host}/v2/{path}"


def manifest_url(name: ModelName) -> str:
    """Where its manifest is."""
    return f"{repository_url(name)}/manifests/{name.digest or name.tag}"


def repository_at(name: ModelName, origin: str) -> str:
    """The path of another repository at the host of `name`; empty if `origin` names none.

    Args:
        name: of a model.
        origin: of another one, without a scheme.
    """
    try:
        other = ModelName.parse(f"{name.protocol}://{ModelName.parse(origin).qualified}")
    except RequestError:
        return ""
    return other.repository if other.host.lower() == name.host.lower() else ""
