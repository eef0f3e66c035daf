"""What a model, or a backend, can do."""

from enum import StrEnum

__all__ = ("Capability",)


class Capability(StrEnum):
    """One ability. The first eight are Ollama's words in `/api/show` (contract 12.3); the rest are Camelid's."""

    COMPLETION = "completion"
    TOOLS = "tools"
    INSERT = "insert"
    VISION = "vision"
    EMBEDDING = "embedding"
    THINKING = "thinking"
    IMAGE = "image"
    AUDIO = "audio"

    RERANK = "rerank"
    """How well a text answers a query, read together with it."""
    TOKENIZE = "tokenize"
    """The backend brings the model's tokenizer; others leave text to plugins such as `camelid-tokenizers`."""
    LOGPROBS = "logprobs"
    CONSTRAINTS = "constraints"
    """Answers are held to a grammar. Whatever yields logits has it from the framework, without declaring it."""
    SCORING = "scoring"
    """An answer can be given, to learn what the model thinks of each of its tokens. Whatever yields logits has it from
    the framework, without declaring it."""
    BATCHING = "batching"
    """Several sequences advance in one step."""
    PREFIX_SHARING = "prefix-sharing"
    """A sequence's KV cache can be copied to another without computing it again."""
    STATE_SAVE = "state-save"
    """A sequence's KV cache can be saved to bytes and restored."""
    ADAPTERS = "adapters"
