"""What an older GGML file says of its tokens."""

import re
from typing import Final

from camelid.types.vocabulary import TokenizerKind, Vocabulary
from camelid_ctransformers.ggml_file import GGMLFile

__all__ = ("ggml_vocabulary",)


_CONTROL: Final = re.compile(
    rb"<\|[^|<>\s]+\|>|<fim[-_](?:prefix|middle|suffix|pad)>|### (?:End|Instruction:|Response:)"
)
"""Texts that older GGML files have as tokens and that are no text; the files do not mark them."""
_END: Final = (b"<|endoftext|>", b"<|end|>", b"<|im_end|>", b"<|end_of_turn|>", b"### End")
_LLAMA_BYTES: Final = 3
"""The token of the byte 0 in LLaMA's vocabulary; the other bytes follow."""


def ggml_vocabulary(file: GGMLFile) -> Vocabulary:
    """The vocabulary of an older GGML file."""
    return _llama(file) if file.family.sentencepiece else _byte_level(file)


def _byte_level(file: GGMLFile) -> Vocabulary:
    """BPE: tokens are in the order in which they were merged, so their numbers are the ranks."""
    control = {token.decode(): number for number, token in enumerate(file.tokens) if _CONTROL.fullmatch(token)}
    ends = [control[text.decode()] for text in _END if text.decode() in control]
    return Vocabulary(
        kind=TokenizerKind.BYTE_PAIR,
        pieces=file.tokens,
        control=control,
        pre_tokenizer=file.family.name if file.family.name in ("falcon", "starcoder") else "gpt-2",
        end=ends[0] if ends else None,
        end_tokens=frozenset(ends),
    )


def _llama(file: GGMLFile) -> Vocabulary:
    """SentencePiece with LLaMA's fixed places: unknown, begin, end, the 256 bytes."""
    pieces = [b"", b"", b"", *file.tokens[_LLAMA_BYTES:]]
    return Vocabulary(
        kind=TokenizerKind.SENTENCE_PIECE,
        pieces=pieces,
        control={"<unk>": 0, "<s>": 1, "</s>": 2},
        scores=file.scores,
        byte_tokens={byte: byte + _LLAMA_BYTES for byte in range(256) if byte + _LLAMA_BYTES < len(pieces)},
        space_prefix=True,
        begin=1,
        end=2,
        add_begin=True,
        end_tokens=frozenset({2}),
    )
