"""How a client names a model: a name, perhaps with a source behind it (contract 2.2)."""

from typing import Final

from camelid.errors import RemoteModelError, RequestError
from camelid.store.parameters import go_quoted
from camelid.types.names import ModelName

__all__ = ("REMOTE_UNAVAILABLE", "parse_reference", "stored_spelling")

REMOTE_UNAVAILABLE: Final = "ollama cloud is disabled: remote model is unavailable"
"""What a client hears that asks for a model which runs elsewhere."""


def _split_source(text: str) -> tuple[str, str]:
    """`text` without its source suffix, and the source: `cloud`, `local` or none."""
    rest, colon, last = text.rpartition(":")
    source = last.strip().lower()
    if colon and source in ("cloud", "local"):
        return rest, source
    if colon and source.endswith("-cloud") and "/" not in source:
        return text.rstrip()[: -len("-cloud")], "cloud"
    return text, ""


def parse_reference(text: str, *, unavailable: str = REMOTE_UNAVAILABLE) -> ModelName:
    """The local model that `text` names.

    Args:
        text: as the client sent it, not empty.
        unavailable: what to say of a model that would run elsewhere.

    Raises:
        RequestError: the name breaks the grammar, or has two sources.
        RemoteModelError: it names a model in the cloud.
    """
    rest, source = _one_source(text)
    if source == "cloud":
        ModelName.parse(rest)
        raise RemoteModelError(unavailable)
    return ModelName.parse(rest)


def stored_spelling(text: str) -> str:
    """How a model on this disk is spelled, which may be a stub of one in the cloud: `x:8b-cloud` for `x:8b:cloud`.

    Raises:
        RequestError: the name has two sources.
    """
    rest, source = _one_source(text)
    if source != "cloud":
        return rest
    return f"{rest}-cloud" if ":" in rest.rpartition("/")[2] else f"{rest}:cloud"


def _one_source(text: str) -> tuple[str, str]:
    rest, source = _split_source(text.strip())
    if source and _split_source(rest)[1]:
        raise RequestError(f"use either :local or :cloud, not both: {go_quoted(text.strip())}")
    return rest, source
