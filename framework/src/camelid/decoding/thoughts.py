"""Thoughts in any words before an answer that is held to a grammar."""

import json
from itertools import groupby
from typing import Final

import msgspec

from camelid.contracts.tokenizer import Tokenizer

__all__ = ("with_thoughts",)

_TEXT_TAG: Final = r"""start: {thoughts} BLANK @answer
thoughts: BLANK {opening} thought
thought[lazy]: /(.|\n)*/ {closing}
BLANK: /[ \n]{{0,4}}/
"""
_CONTROL_TAG: Final = r"""start: {thoughts} BLANK @answer
thoughts: BLANK {opening} THOUGHT {closing}
THOUGHT: /(.|\n)*/
BLANK: /[ \n]{{0,4}}/
"""


class _Part(msgspec.Struct, omit_defaults=True):
    name: str | None = None
    json_schema: msgspec.Raw = msgspec.Raw()
    lark_grammar: str | None = None


class _Source(msgspec.Struct):
    grammars: list[_Part]


def with_thoughts(source: str, tags: tuple[str, str], tokenizer: Tokenizer) -> str:
    """A grammar in llguidance's notation, after thoughts.

    Args:
        source: the answer's grammar, in llguidance's notation.
        tags: as in `Grammar.thinking`. Where control tokens are in the closing one, it begins with one.
        tokenizer: knows what in the tags is a control token; those are no text to a grammar.
    """
    opening, closing = (_tag(tag, tokenizer) for tag in tags)
    lark = (_CONTROL_TAG if closing.startswith("<") else _TEXT_TAG).format(
        thoughts="thoughts?" if opening else "thoughts", opening=opening, closing=closing
    )
    answer = msgspec.json.decode(source, type=_Source).grammars[0]
    answer.name = "answer"
    return msgspec.json.encode(_Source([_Part(lark_grammar=lark), answer])).decode()


def _tag(tag: str, tokenizer: Tokenizer) -> str:
    """A tag in Lark: control tokens by their ids, anything else by its text."""
    tokens = tokenizer.encode(tag, add_special=False, parse_special=True) if tag else []
    if all(tokenizer.token_bytes(token) for token in tokens):
        return _quoted(tag)
    parts: list[str] = []
    for control, run in groupby(tokens, key=lambda token: not tokenizer.token_bytes(token)):
        if control:
            parts += (f"<[{token}]>" for token in run)
        else:
            parts.append(_quoted(tokenizer.decode(list(run)).decode("utf-8", "replace")))
    return " ".join(parts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""
