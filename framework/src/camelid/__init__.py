"""Camelid: a self-hosted LLM server over swappable runtimes. These are the names that plugin authors import.

They are loaded when first used, so that `import camelid` costs nothing to a command that only prints its help.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from camelid.contracts.answers.format import AnswerFormat, ThinkingTags
    from camelid.contracts.answers.parser import OutputParser, Parsed, ScanningParser
    from camelid.contracts.answers.scanner import Steps
    from camelid.contracts.answers.tool_calls import ToolCallParser
    from camelid.contracts.batch import Batch, BatchLimits
    from camelid.contracts.converter import Converter
    from camelid.contracts.embedder import Embedder
    from camelid.contracts.engine import Engine, EngineEvent, EngineRequest
    from camelid.contracts.generation import BatchDecoder, Decoder, KVCacheFullError
    from camelid.contracts.media import Media, MediaSpan, MediaTokenizer
    from camelid.contracts.model import LoadedModel
    from camelid.contracts.placement import Placement
    from camelid.contracts.ranker import Ranker
    from camelid.contracts.registry import BlobSource, LayerSource, Registry, ResolvedModel
    from camelid.contracts.route import HttpRequest, HttpResponse, Route
    from camelid.contracts.sampler import Sampler
    from camelid.contracts.tokenizer import Tokenizer
    from camelid.hookspecs import API_VERSION, hookimpl

__all__ = (
    "API_VERSION",
    "AnswerFormat",
    "Batch",
    "BatchDecoder",
    "BatchLimits",
    "BlobSource",
    "Converter",
    "Decoder",
    "Embedder",
    "Engine",
    "EngineEvent",
    "EngineRequest",
    "HttpRequest",
    "HttpResponse",
    "KVCacheFullError",
    "LayerSource",
    "LoadedModel",
    "Media",
    "MediaSpan",
    "MediaTokenizer",
    "OutputParser",
    "Parsed",
    "Placement",
    "Ranker",
    "Registry",
    "ResolvedModel",
    "Route",
    "Sampler",
    "ScanningParser",
    "Steps",
    "ThinkingTags",
    "Tokenizer",
    "ToolCallParser",
    "__version__",
    "hookimpl",
)

__version__ = "0.1.0"

_MODULES = {
    "answers.format": ("AnswerFormat", "ThinkingTags"),
    "answers.parser": ("OutputParser", "Parsed", "ScanningParser"),
    "answers.scanner": ("Steps",),
    "answers.tool_calls": ("ToolCallParser",),
    "batch": ("Batch", "BatchLimits"),
    "converter": ("Converter",),
    "embedder": ("Embedder",),
    "engine": ("Engine", "EngineEvent", "EngineRequest"),
    "generation": ("BatchDecoder", "Decoder", "KVCacheFullError"),
    "media": ("Media", "MediaSpan", "MediaTokenizer"),
    "model": ("LoadedModel",),
    "placement": ("Placement",),
    "ranker": ("Ranker",),
    "registry": ("BlobSource", "LayerSource", "Registry", "ResolvedModel"),
    "route": ("HttpRequest", "HttpResponse", "Route"),
    "sampler": ("Sampler",),
    "tokenizer": ("Tokenizer",),
}
_HOMES = {name: f"camelid.contracts.{module}" for module, names in _MODULES.items() for name in names} | {
    "API_VERSION": "camelid.hookspecs",
    "hookimpl": "camelid.hookspecs",
}


def __getattr__(name: str) -> object:
    """Load the module that defines `name` (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'camelid' has no attribute {name!r}")
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value
