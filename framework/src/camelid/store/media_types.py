"""The media types of a manifest's layers (contract 13.2). Others are kept and ignored."""

from typing import Final

from camelid.types.artifact import FileRole

__all__ = (
    "ADAPTER",
    "CONFIG",
    "DRAFT",
    "FILE_ROLES",
    "JSON",
    "LICENSE",
    "MANIFEST",
    "MESSAGES",
    "MODEL",
    "PARAMS",
    "PROJECTOR",
    "PROMPT",
    "SYSTEM",
    "TEMPLATE",
    "TENSOR",
)

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG: Final = "application/vnd.docker.container.image.v1+json"

MODEL: Final = "application/vnd.ollama.image.model"
PROJECTOR: Final = "application/vnd.ollama.image.projector"
ADAPTER: Final = "application/vnd.ollama.image.adapter"
DRAFT: Final = "application/vnd.ollama.image.draft"
TEMPLATE: Final = "application/vnd.ollama.image.template"
PROMPT: Final = "application/vnd.ollama.image.prompt"
"""What `TEMPLATE` was called once."""
JSON: Final = "application/vnd.ollama.image.json"
"""A file that stands beside the weights of a model of several files, most often JSON; it has a name."""
SYSTEM: Final = "application/vnd.ollama.image.system"
PARAMS: Final = "application/vnd.ollama.image.params"
MESSAGES: Final = "application/vnd.ollama.image.messages"
LICENSE: Final = "application/vnd.ollama.image.license"
TENSOR: Final = "application/vnd.ollama.image.tensor"
"""Of models for MLX, which are made of many."""

FILE_ROLES: Final = {
    MODEL: FileRole.MODEL,
    PROJECTOR: FileRole.PROJECTOR,
    ADAPTER: FileRole.ADAPTER,
    DRAFT: FileRole.DRAFT,
    JSON: FileRole.COMPANION,
}
"""The layers that a backend opens, and what each is to it."""
