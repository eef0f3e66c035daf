"""A model of another server, and its tokenizer: bytes.

The contracts count in tokens, and an upstream's are known to the upstream alone. Every text is bytes, on every server;
so the prompt goes out as text, and the text that comes back is counted in bytes.
"""

from collections.abc import Sequence
from re import escape, split
from typing import Final

import msgspec

from camelid import LoadedModel, Tokenizer
from camelid.errors import ModelLoadError
from camelid.types.artifact import ModelArtifact
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid_upstream.allowed import VARIABLE, Upstream, allowed_upstreams
from camelid_upstream.model_file import UpstreamFile, read_model_file
from camelid_upstream.options import UpstreamOptions

__all__ = ("ByteTokenizer", "UpstreamModel", "text_of")

_END: Final = 256
_END_TEXT: Final = "<|end of the upstream's answer|>"
_VOCABULARY: Final = 257
_READ_BYTES: Final = 1 << 16
"""What the system and the HTTP library hold of one answer that nobody has asked for yet."""


class UpstreamModel(LoadedModel):
    """Says which server computes which model. Nothing is asked when it is loaded: the upstream may start later."""

    def __init__(self, artifact: ModelArtifact, options: LoadOptions) -> None:
        """Read the model's file.

        Raises:
            InvalidModelFileError: it is damaged.
            ModelLoadError: it names an upstream that this server may not ask, or an option is wrong.
            ConfigurationError: the list of upstreams cannot be read.
        """
        self.file: UpstreamFile = read_model_file(artifact.model.path)
        found = allowed_upstreams().get(self.file.upstream)
        if found is None:
            raise ModelLoadError(
                f"model {artifact.name!r} is computed by an upstream called {self.file.upstream[:80]!r}, and the"
                f" variable {VARIABLE} of this server lists none of that name"
            )
        self.upstream: Upstream = found
        try:
            self.timeouts = msgspec.convert(options.backend, UpstreamOptions)
        except msgspec.ValidationError as error:
            raise ModelLoadError(f"the backend upstream cannot use these options: {error}") from error
        self.options = options

    @property
    def facts(self) -> ModelFacts:
        """What is known without asking."""
        return ModelFacts(
            architecture="upstream",
            vocabulary_size=_VOCABULARY,
            trained_context=self.options.context_length,
            context_length=self.options.context_length,
            eos_token=_END_TEXT,
            capabilities=frozenset({Capability.COMPLETION, Capability.TOKENIZE, Capability.BATCHING}),
            runtime=f"{self.file.model} on {self.upstream.name}",
        )

    def memory(self) -> tuple[MemoryUse, ...]:
        """Buffers: the weights are elsewhere."""
        return (MemoryUse("cpu", compute=_READ_BYTES * self.options.parallel),)

    def close(self) -> None:
        """Nothing to give back."""


class ByteTokenizer(Tokenizer):
    """UTF-8, and one control token, for an end that no upstream sends."""

    @property
    def vocabulary_size(self) -> int:
        """256 bytes and the end."""
        return _VOCABULARY

    @property
    def end_tokens(self) -> frozenset[int]:
        """One."""
        return frozenset({_END})

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:  # noqa: ARG002 - none to add
        """UTF-8. What upstreams read as control tokens is text here, and they are sent it."""
        parts = split(f"({escape(_END_TEXT)})", text) if parse_special else [text]
        return [
            token
            for part in parts
            for token in ((_END,) if parse_special and part == _END_TEXT else part.encode("utf-8", "replace"))
        ]

    def token_bytes(self, token: int) -> bytes:
        """The byte itself; nothing for the end."""
        return b"" if token == _END else bytes((token,))


def text_of(tokens: Sequence[int]) -> str:
    """A prompt's text; a character that was cut in two is left out."""
    end = _END_TEXT.encode()
    return b"".join(end if token == _END else bytes((token,)) for token in tokens).decode("utf-8", "ignore")
