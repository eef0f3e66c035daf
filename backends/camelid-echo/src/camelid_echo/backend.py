"""The echo model, its tokenizer, its embedder and its ranker.

Tokens are bytes, and four control tokens. What stands between the last `<|turn|>` (or the beginning) and the last
`<|answer|>` is what the model will say; a token's place alone decides what follows, so any mistake in the bookkeeping
of a KV cache changes the answer.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from re import escape, split

import msgspec
import numpy as np
import numpy.typing as npt

from camelid import Embedder, LoadedModel, Ranker, Tokenizer
from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types.artifact import ModelArtifact
from camelid.types.capabilities import Capability
from camelid.types.facts import ModelFacts
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid_echo.options import EchoOptions

__all__ = (
    "ANSWER",
    "BEGIN",
    "CERTAINTY",
    "END",
    "TURN",
    "VOCABULARY",
    "EchoEmbedder",
    "EchoModel",
    "EchoRanker",
    "EchoTokenizer",
    "next_token",
)

BEGIN, END, ANSWER, TURN = 256, 257, 258, 259
VOCABULARY = 260
CERTAINTY = 12.0
"""Logit of the token that comes next; all others have 0."""

_CONTROL = {"<|begin|>": BEGIN, "<|end|>": END, "<|answer|>": ANSWER, "<|turn|>": TURN}
_CONTROL_PATTERN = f"({'|'.join(map(escape, _CONTROL))})"
_TRAINED_CONTEXT = 8192


class _EchoFile(msgspec.Struct):
    """The model's file."""

    camelid_backend: str


class EchoModel(LoadedModel):
    """A model without weights."""

    def __init__(self, artifact: ModelArtifact, options: LoadOptions) -> None:
        try:
            file = msgspec.json.decode(Path(artifact.model.path).read_bytes(), type=_EchoFile)
        except msgspec.MsgspecError as error:
            raise InvalidModelFileError("this is not an echo model's file", reason=str(error)) from error
        if file.camelid_backend != "echo":
            raise InvalidModelFileError("this is not an echo model's file", reason=repr(file))
        try:
            self.echo = msgspec.convert(options.backend, EchoOptions)
        except msgspec.ValidationError as error:
            raise ModelLoadError(f"the echo backend cannot use these options: {error}") from error
        self.options = options
        self.closed = False

    @property
    def facts(self) -> ModelFacts:
        """What little there is."""
        tier_capabilities = {
            "decoder": {Capability.LOGPROBS},
            "batch": {
                Capability.LOGPROBS,
                Capability.BATCHING,
                Capability.PREFIX_SHARING,
                Capability.STATE_SAVE,
                Capability.VISION,
            },
            "engine": {Capability.BATCHING},
        }
        return ModelFacts(
            architecture="echo",
            vocabulary_size=VOCABULARY,
            trained_context=_TRAINED_CONTEXT,
            context_length=self.options.context_length,
            embedding_length=VOCABULARY,
            bos_token="<|begin|>",
            eos_token="<|end|>",
            capabilities=frozenset(
                {
                    Capability.COMPLETION,
                    Capability.EMBEDDING,
                    Capability.RERANK,
                    Capability.TOKENIZE,
                    *tier_capabilities[self.echo.tier],
                }
            ),
        )

    def memory(self) -> tuple[MemoryUse, ...]:
        """One int32 for each token it can remember."""
        return (MemoryUse(device="cpu", cache=4 * self.options.context_length * self.options.parallel),)

    def close(self) -> None:
        """Nothing to give back."""
        self.closed = True


class EchoTokenizer(Tokenizer):
    """Bytes as tokens."""

    @property
    def vocabulary_size(self) -> int:
        """256 bytes and the control tokens."""
        return VOCABULARY

    @property
    def end_tokens(self) -> frozenset[int]:
        """`<|end|>` alone."""
        return frozenset({END})

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """UTF-8, between `<|begin|>` and `<|answer|>` if `add_special`."""
        tokens = [BEGIN] if add_special else []
        for part in split(_CONTROL_PATTERN, text) if parse_special else [text]:
            if parse_special and part in _CONTROL:
                tokens.append(_CONTROL[part])
            else:
                tokens.extend(part.encode("utf-8", "replace"))
        if add_special and tokens[-1] != ANSWER:
            tokens.append(ANSWER)
        return tokens

    def token_bytes(self, token: int) -> bytes:
        """The byte itself; nothing for control tokens."""
        return bytes((token,)) if token < BEGIN else b""


class EchoEmbedder(Embedder):
    """Counts of each token: texts of the same letters lie close together."""

    def __init__(self, model: EchoModel) -> None:
        self._max_tokens = model.options.context_length

    @property
    def dimensions(self) -> int:
        """One for each token of the vocabulary."""
        return VOCABULARY

    @property
    def max_tokens(self) -> int:
        """As many as the context holds."""
        return self._max_tokens

    def embed(self, inputs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Count."""
        return np.stack([np.bincount(tokens, minlength=VOCABULARY) for tokens in inputs]).astype(np.float32)


class EchoRanker(Ranker):
    """The share of the query's bytes that the document has, too."""

    def __init__(self, model: EchoModel) -> None:
        self._max_tokens = model.options.context_length

    @property
    def max_tokens(self) -> int:
        """As many as the context holds."""
        return self._max_tokens

    def pair(self, query: str, document: str) -> list[int]:
        """The bytes of both, with a `<|turn|>` between them."""
        return [*query.encode("utf-8", "replace"), TURN, *document.encode("utf-8", "replace")]

    def rank(self, pairs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """Count."""
        return np.array([_share(list(pair)) for pair in pairs], np.float32)


def _share(pair: list[int]) -> float:
    middle = pair.index(TURN)
    query = Counter(pair[:middle])
    return (query & Counter(pair[middle + 1 :])).total() / max(1, query.total())


def next_token(history: Sequence[int]) -> int:
    """The token that follows `history`."""
    reverse = list(reversed(history))
    if ANSWER not in reverse:
        return END
    said = reverse.index(ANSWER)
    before = reverse[said + 1 :]
    length = next((place for place, token in enumerate(before) if token in (TURN, BEGIN)), len(before))
    return before[length - 1 - said] if said < length else END
