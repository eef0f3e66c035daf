"""A model's tokens as llguidance wants them."""

from collections.abc import Callable
from typing import Final

from llguidance import LLTokenizer, TokenizerWrapper

from camelid.contracts.tokenizer import Tokenizer

__all__ = ("guidance_tokenizer",)

_SPECIAL: Final = b"\xff"
"""How llguidance marks tokens that are no text. The byte occurs in no UTF-8, so no text needs a token with it."""
_MOST_PREFIX_TOKENS: Final = 4
"""Tokens that may stand in front of a text, each tried in turn."""


def guidance_tokenizer(tokenizer: Tokenizer) -> LLTokenizer:
    """The vocabulary as a tree of bytes: a tenth of a second for every 30,000 tokens.

    A tokenizer without end tokens gets one of its own, right behind its vocabulary; no model can choose it.
    """
    ends = sorted(tokenizer.end_tokens) or [tokenizer.vocabulary_size]
    vocabulary = _Vocabulary(tokenizer, ends)
    built = LLTokenizer(vocabulary, eos_token=ends, slices=LLTokenizer.json_slices())
    vocabulary.any_tokens = built.greedy_tokenize
    return built


class _Vocabulary(TokenizerWrapper):
    """Tokens that stand for no text are empty: a grammar cannot choose them."""

    def __init__(self, tokenizer: Tokenizer, ends: list[int]) -> None:
        self.eos_token_id = ends[0]
        self.bos_token_id = None
        self.special_token_ids = ends
        self.is_tokenizer_wrapper = True
        self.tokens = [
            b"" if token in ends or piece.startswith(_SPECIAL) else piece
            for token, piece in enumerate(map(tokenizer.token_bytes, range(tokenizer.vocabulary_size)))
        ]
        if ends == [len(self.tokens)]:
            self.tokens.append(b"")
        self._tokenizer = tokenizer
        self.any_tokens: Callable[[str], list[int]] = lambda text: []  # noqa: ARG005
        """Finds some tokens for a text, not those that the model would write; set once the vocabulary is built."""

    def __call__(self, text: str) -> list[int]:
        """The tokens that the model would write `text` with, where a grammar forces it.

        Many tokenizers put a space in front of a text; an unlikely character there keeps it away from the text itself.
        """
        wanted = text.encode()
        for prefix in ("", "\x02"):
            tokens = self._tokenizer.encode(prefix + text, add_special=False, parse_special=False)
            for start in range(min(_MOST_PREFIX_TOKENS, len(tokens))):
                if self._tokenizer.decode(tokens[start:]) == wanted:
                    return tokens[start:]
        return self.any_tokens(text)
