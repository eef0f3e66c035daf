"""Cutting text into words before BPE, as the pattern that each tokenizer names.

The patterns speak of letters, numbers and punctuation of all of Unicode, which Python's `re` does not know. So each
character outside of ASCII is replaced by an ASCII character that no keyboard has and that stands for its class; the
pattern, which is all ASCII, is applied to that shadow of the text, and the text is cut at the same places.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

__all__ = ("SPLITS", "Split", "split_words")

_LETTER, _NUMBER, _PUNCTUATION, _OTHER, _SPACE = "\x01", "\x02", "\x03", "\x04", "\x0b"
_L, _N = r"A-Za-z\x01", r"0-9\x02"
_P = r"""!-/:-@\[-`{-~\x03"""

_GPT2 = rf"'s|'t|'re|'ve|'m|'ll|'d| ?[{_L}]+| ?[{_N}]+| ?[^\s{_L}{_N}]+|\s+(?!\S)"
_LLAMA3 = (
    rf"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n{_L}{_N}]?[{_L}]+|[{_N}]{{1,3}}"
    rf"| ?[^\s{_L}{_N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

Split = tuple[re.Pattern[str], ...]
"""Patterns to be applied one after the other; what lies between two matches is a word too."""


def _compiled(*patterns: str) -> Split:
    return tuple(re.compile(pattern, re.ASCII) for pattern in patterns)


_CODE = _compiled(f"[{_N}]", _GPT2)

SPLITS: Final[dict[str, Split]] = {
    **dict.fromkeys(("gpt-2", "mpt", "olmo", "jais"), _compiled(_GPT2)),
    **dict.fromkeys(("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"), _CODE),
    **dict.fromkeys(("llama-bpe", "llama3", "llama-v3"), _compiled(_LLAMA3)),
    **dict.fromkeys(("qwen2", "deepseek-r1-qwen", "stablelm2"), _compiled(_LLAMA3.replace("{1,3}", ""))),
    "falcon": _compiled(f"[{_P}]+", _GPT2, "[0-9][0-9][0-9]"),
}
"""By the name in `tokenizer.ggml.pre`."""


class _Shadows(dict[int, str]):
    """What stands for each character; found out when it is first seen."""

    def __missing__(self, code: int) -> str:
        shadow = chr(code) if code in _PLAIN else _class_of(chr(code))
        self[code] = shadow
        return shadow


_PLAIN: Final = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0B, 0x0C, 0x0D}


def _class_of(letter: str) -> str:
    if letter.isspace() and letter not in "\x1c\x1d\x1e\x1f":
        return _SPACE
    category = unicodedata.category(letter)[0]
    return {"L": _LETTER, "N": _NUMBER, "P": _PUNCTUATION}.get(category, _OTHER)


_SHADOWS: Final = _Shadows()


def split_words(text: str, split: Split) -> Iterator[str]:
    """The words of a text, in order; together they are the text."""
    shadow = text.translate(_SHADOWS)
    spans = [(0, len(text))]
    for pattern in split:
        spans = [part for start, end in spans for part in _parts(shadow, start, end, pattern)]
    return (text[start:end] for start, end in spans)


def _parts(shadow: str, start: int, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    done = start
    # Cut out, so that what looks ahead does not see the next word.
    for match in pattern.finditer(shadow[start:end]):
        first, last = start + match.start(), start + match.end()
        if first > done:
            yield done, first
        if last > first:
            yield first, last
        done = last
    if done < end:
        yield done, end
