"""Scores of cross-encoders."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from camelid import Ranker
from camelid_llamacpp.embedder import LlamaEmbedder
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.tokenizer import LlamaTokenizer
from camelid_llamacpp.traits import SOFTMAX_ARCHITECTURES, ModelTraits

__all__ = ("LlamaRanker", "PairTemplate", "read_pair_template")

_TEMPLATE: Final = b"rerank"
_PLACES: Final = re.compile(r"\{query\}|\{document\}")


class PairTemplate:
    """How a model wants to read a query and a document: control tokens, and runs of text with places for both."""

    def __init__(self, tokenizer: LlamaTokenizer, parts: Sequence[int | str]) -> None:
        """Take over the parts; in texts `{query}` and `{document}` are the places."""
        self._tokenizer = tokenizer
        self._parts = parts

    def fill(self, query: str, document: str) -> list[int]:
        """Token ids. What looks like a control token, or like a place, in either text is text."""
        texts = {"{query}": query, "{document}": document}
        tokens: list[int] = []
        for part in self._parts:
            if isinstance(part, int):
                tokens.append(part)
            else:
                text = _PLACES.sub(lambda place: texts[place[0]], part)
                tokens += self._tokenizer.encode(text, add_special=False, parse_special=False)
        return tokens


class LlamaRanker(Ranker):
    """Computes as an embedder does; what is pooled is a score."""

    def __init__(self, scorer: LlamaEmbedder, template: PairTemplate, traits: ModelTraits) -> None:
        """Take over an embedder whose vectors are the outputs of the model's head.

        Args:
            scorer: closed with the ranker.
            template: of the model.
            traits: of the model.
        """
        self._scorer = scorer
        self._template = template
        self._probabilities = traits.architecture in SOFTMAX_ARCHITECTURES

    @property
    def max_tokens(self) -> int:
        """As of an embedder's input."""
        return self._scorer.max_tokens

    def pair(self, query: str, document: str) -> list[int]:
        """Fill the model's template."""
        return self._template.fill(query, document)

    def rank(self, pairs: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        """The head's first output, brought to the range from 0 to 1 if llama.cpp has not done so.

        Raises:
            ModelError: computing failed.
        """
        outputs = self._scorer.embed(pairs)[:, 0]
        if self._probabilities:
            return np.clip(outputs, 0.0, 1.0)
        # With tanh nothing overflows.
        return ((1 + np.tanh(outputs / 2)) / 2).astype(np.float32)

    def close(self) -> None:
        """Free the context."""
        self._scorer.close()


def read_pair_template(model: int, tokenizer: LlamaTokenizer) -> PairTemplate | None:
    """The template in a model's file; else what its tokenizer puts around and between two texts.

    Args:
        model: handle of the model.
        tokenizer: of the model.

    Returns:
        None if nothing would stand between query and document, or one of them has no place.
    """
    vocabulary: int = llama_cpp.llama_model_get_vocab(model)
    source: bytes | None = llama_cpp.llama_model_chat_template(model, _TEMPLATE)
    parts = _written(source.decode("utf-8", "replace"), vocabulary) if source else _usual(vocabulary)
    places = [place for part in parts if isinstance(part, str) for place in _PLACES.findall(part)]
    if sorted(places) != ["{document}", "{query}"] or ("{query}", "{document}") in pairwise(parts):
        return None
    return PairTemplate(tokenizer, parts)


def _written(source: str, vocabulary: int) -> list[int | str]:
    size: int = llama_cpp.llama_vocab_n_tokens(vocabulary)
    control = {
        llama_cpp.llama_vocab_get_text(vocabulary, token).decode("utf-8", "replace"): token
        for token in range(size)
        if llama_cpp.llama_vocab_is_control(vocabulary, token)
    }
    if not control:
        return [source]
    longest_first = sorted(filter(None, control), key=len, reverse=True)
    pieces = re.split(f"({'|'.join(map(re.escape, longest_first))})", source)
    return [control.get(piece, piece) for piece in pieces if piece]


def _usual(vocabulary: int) -> list[int | str]:
    """As BERT and its like were trained: what the tokenizer puts around a text, and a separator."""
    begin: int = llama_cpp.llama_vocab_bos(vocabulary)
    separator: int = llama_cpp.llama_vocab_sep(vocabulary)
    end: int = llama_cpp.llama_vocab_eos(vocabulary)
    end = separator if end < 0 else end
    first = [begin] if llama_cpp.llama_vocab_get_add_bos(vocabulary) and begin >= 0 else []
    ends = llama_cpp.llama_vocab_get_add_eos(vocabulary) and end >= 0
    separates = llama_cpp.llama_vocab_get_add_sep(vocabulary) and separator >= 0
    between = [*([end] if ends else []), *([separator] if separates else [])]
    # BERT's own tokenizer ends each text with the separator, and has no end token to add.
    last = [end] if ends else between
    return [*first, "{query}", *between, "{document}", *last]
