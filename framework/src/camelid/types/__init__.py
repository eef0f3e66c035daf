"""Pure data that crosses Camelid's borders: no behaviour beyond parsing and printing, no I/O."""

from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid.types.facts import ModelFacts
from camelid.types.generation import (
    Completion,
    FinishReason,
    GenerationChunk,
    Timings,
    TokenAlternative,
    TokenLogprob,
)
from camelid.types.grammar import Grammar
from camelid.types.json import JsonObject, JsonValue
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid.types.messages import Function, FunctionCall, Message, Tool, ToolCall
from camelid.types.names import ModelName
from camelid.types.options import Options, SamplingOptions, parse_options

__all__ = (
    "BackendDescriptor",
    "Capability",
    "Completion",
    "FinishReason",
    "Function",
    "FunctionCall",
    "GenerationChunk",
    "Grammar",
    "JsonObject",
    "JsonValue",
    "LoadOptions",
    "MemoryUse",
    "Message",
    "ModelArtifact",
    "ModelFacts",
    "ModelFile",
    "ModelName",
    "Options",
    "SamplingOptions",
    "Timings",
    "TokenAlternative",
    "TokenLogprob",
    "Tool",
    "ToolCall",
    "parse_options",
)
