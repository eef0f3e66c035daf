"""Which files of a repository make a safetensors model, to be converted by the framework."""

import re
from typing import Final

from camelid.errors import RegistryError
from camelid_huggingface.repository import RepositoryFile, RepositoryInfo

__all__ = ("find_safetensors",)

_WEIGHTS: Final = re.compile(r"([^/]+/)?model[^/]*\.safetensors")
_COMPANION: Final = re.compile(r"([^/]+/)?[^/]+\.json|chat_template\.jinja|([^/]+/)?tokenizer\.model")
_TYPES: Final = ("F32", "F16", "BF16", "Q8_0", "Q4_K_M", "Q4_K_S")
"""What clients may ask `create` for (contract 15.3)."""


def find_safetensors(info: RepositoryInfo, tag: str) -> dict[str, RepositoryFile] | None:
    """The files of the model, by name; None if the repository has none.

    Args:
        info: of the repository.
        tag: what it shall become; `latest` for the type that it has.

    Raises:
        RegistryError: it cannot become that.
    """
    files = {file.path: file for file in info.files if file.is_inside and ":" not in file.path}
    weights = {path: file for path, file in files.items() if _WEIGHTS.fullmatch(path)}
    if "config.json" not in files or not any("/" not in path for path in weights):
        return None
    if tag.lower() != "latest" and tag.upper() not in _TYPES:
        types = ", ".join(_TYPES)
        raise RegistryError(f"the repository has no {tag}; it has safetensors, which can become {types}")
    return weights | {path: file for path, file in files.items() if _COMPANION.fullmatch(path)}
