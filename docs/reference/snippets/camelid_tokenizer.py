"""Bytes as tokens, for a model with one more token, which ends an answer.

A plugin without a backend tokenizes for others: it is asked where a backend has no tokenizer.
"""

from camelid import LoadedModel, Tokenizer, hookimpl

CAMELID_API = 1
END, END_TEXT = 256, "<|end|>"


class ByteTokenizer(Tokenizer):
    @property
    def vocabulary_size(self) -> int:
        return 257

    @property
    def end_tokens(self) -> frozenset[int]:
        return frozenset({END})

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        """`<|end|>` ends an answer where a template wrote it; in what a client wrote it is text."""
        first, *others = text.split(END_TEXT) if parse_special else [text]
        tokens = list(first.encode("utf-8", "replace"))
        for part in others:
            tokens += [END, *part.encode("utf-8", "replace")]
        return tokens

    def token_bytes(self, token: int) -> bytes:
        return bytes((token,)) if token < END else b""


@hookimpl
def camelid_tokenizer(model: LoadedModel) -> Tokenizer | None:
    """Hooks take those arguments that they use: `artifact` is left out here."""
    return ByteTokenizer() if model.facts.vocabulary_size == 257 else None
