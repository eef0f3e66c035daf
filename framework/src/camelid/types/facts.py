"""The truth about a model after it was loaded."""

import msgspec

from camelid.types.capabilities import Capability

__all__ = ("ModelFacts",)


class ModelFacts(msgspec.Struct, frozen=True):
    """What the backend found in the model's files; the first message of a worker carries it."""

    architecture: str
    """The field's name for it: `llama`, `qwen3`, `bert`."""
    vocabulary_size: int
    """Tokens."""
    trained_context: int
    """Tokens the model was trained to attend to."""
    context_length: int
    """Tokens one sequence may hold as loaded; at most `trained_context` unless the user asked for more."""
    embedding_length: int = 0
    """Width of the model's hidden state, and of the vectors it embeds to."""
    parameter_count: int = 0
    layers: int = 0
    offloaded_layers: int = 0
    """Layers that live on an accelerator."""
    chat_template: str = ""
    """Jinja, as stored in the model's file; empty if there is none."""
    bos_token: str = ""
    """Text of the begin-of-sequence token, for Jinja templates."""
    eos_token: str = ""
    """Text of the end-of-sequence token, for Jinja templates; the conformance kit tries `Tokenizer.encode` with it."""
    capabilities: frozenset[Capability] = frozenset()
    """What this backend can do with this model."""
    runtime: str = ""
    """Library, version and what it computes on, for people: `onnxruntime-genai 0.18.0 on CUDA`. Empty: the worker
    names the library that the backend's distribution requires."""
