"""Bytes as tokens, for a model with one more token, which ends an answer.

A plugin without a backend tokenizes for others: it is asked where a backend has no tokenizer.
"""

from camelid import LoadedModel, Tokenizer, hookimpl

CAMELID_API = 1
END = 256


class ByteTokenizer(Tokenizer):
    @property
    def vocabulary_size(self) -> int:
        return 257

    @property
    def end_tokens(self) -> frozenset[int]:
        return frozenset({END})

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        return list(text.encode("utf-8", "replace"))

    def token_bytes(self, token: int) -> bytes:
        return bytes((token,)) if token < END else b""


@hookimpl
def camelid_tokenizer(model: LoadedModel) -> Tokenizer | None:
    """Hooks take those arguments that they use: `artifact` is left out here."""
    return ByteTokenizer() if model.facts.vocabulary_size == 257 else None
