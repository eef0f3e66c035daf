"""How words are cut out before byte pairs are merged: the regular expressions behind llama.cpp's names."""

import re
from typing import Final

import msgspec

from camelid.errors import ModelLoadError

__all__ = ("PRE_TOKENIZERS", "PreTokenizer", "pre_tokenizer")


class PreTokenizer(msgspec.Struct, frozen=True):
    """What a name means."""

    patterns: tuple[str, ...]
    """Applied one after the other, each within what the one before cut; what lies between two matches is a word too."""
    whole_words: bool = False
    """A word that is a token is not put together by merging."""
    add_begin: bool = False
    """The begin token is put in front unless the file says otherwise."""


_ENGLISH: Final = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_WORDS: Final = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS: Final = r" ?[^\s\p{L}\p{N}]+"
_SPACES: Final = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER: Final = r"[^\r\n\p{L}\p{N}]?(?:(?=\p{L})[^a-z])*(?:(?=\p{L})[^A-Z])+"
_LOWER: Final = r"[^\r\n\p{L}\p{N}]?(?:(?=\p{L})[^a-z])+(?:(?=\p{L})[^A-Z])*"

_GPT2: Final = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_LLAMA3: Final = rf"{_ENGLISH}|{_WORDS}|\p{{N}}{{1,3}}|{_SIGNS}[\r\n]*|{_SPACES}"
_QWEN2: Final = rf"{_ENGLISH}|{_WORDS}|\p{{N}}|{_SIGNS}[\r\n]*|{_SPACES}"
_QWEN35: Final = (
    rf"{_ENGLISH}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_SPACES}"
)
_SEED: Final = rf"{_ENGLISH}|{_WORDS}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_SPACES}"
_BAILING: Final = rf"{_ENGLISH}|{_WORDS}|\p{{N}}|{_SIGNS}[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
_TEKKEN: Final = rf"{_UPPER}|{_LOWER}|\p{{N}}|{_SIGNS}[\r\n/]*|{_SPACES}"
_GPT4O: Final = rf"{_UPPER}{_ENGLISH}?|{_LOWER}{_ENGLISH}?|\p{{N}}{{1,3}}|{_SIGNS}[\r\n/]*|{_SPACES}"
_DEEPSEEK3: Final = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    (
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
        rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_SPACES}"
    ),
)

_GROUPS: Final = (
    (
        ("", "default"),
        PreTokenizer((r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
    ),
    (
        (
            *("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling", "gigachat", "a.x-4.0", "mellum"),
            *("exaone4", "modern-bert", "roberta-bpe", "jina-v1-en", "jina-v2-code", "jina-v2-de", "jina-v2-es"),
            *("jina-de", "jina-es"),
        ),
        PreTokenizer((_GPT2,)),
    ),
    (
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
        PreTokenizer((r"\p{N}", _GPT2)),
    ),
    (
        ("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"),
        PreTokenizer((_LLAMA3,), whole_words=True, add_begin=True),
    ),
    (("dbrx", "smaug-bpe", "glm4", "chatglm-bpe"), PreTokenizer((_LLAMA3,))),
    (
        ("qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2"),
        PreTokenizer((_QWEN2,)),
    ),
    (("qwen35",), PreTokenizer((_QWEN35,))),
    (("seed-coder",), PreTokenizer((_SEED,))),
    (("bailingmoe", "bailingmoe2", "llada-moe"), PreTokenizer((_BAILING,))),
    (("tekken",), PreTokenizer((_TEKKEN,), whole_words=True, add_begin=True)),
    (("gpt-4o", "llama4", "kanana2", "minimax-m2"), PreTokenizer((_GPT4O,))),
    (("deepseek-v3", "hunyuan-dense", "joyai-llm"), PreTokenizer(_DEEPSEEK3)),
    (("falcon",), PreTokenizer((r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]"))),
)

_CLASS: Final = re.compile(r"\\p\{(\w+)\}")
_LATER: Final = (
    *((0x897, 0x897), (0x1B4E, 0x1B4F), (0x1B7F, 0x1B7F), (0x1C89, 0x1C8A), (0x2427, 0x2429), (0x31E4, 0x31E5)),
    *((0xA7CB, 0xA7CD), (0xA7DA, 0xA7DC), (0x105C0, 0x105F3), (0x10D40, 0x10D8F), (0x10EC2, 0x10EFC)),
    *((0x11380, 0x113E2), (0x116D0, 0x116E3), (0x11BC0, 0x11BF9), (0x11F5A, 0x11F5A), (0x13460, 0x143FA)),
    *((0x16100, 0x16139), (0x16D40, 0x16D79), (0x18CFF, 0x18CFF), (0x1CC00, 0x1CEB3), (0x1E5D0, 0x1E5FF)),
    *((0x1F8B2, 0x1F8C1), (0x1FA89, 0x1FA89), (0x1FA8F, 0x1FA8F), (0x1FABE, 0x1FABE), (0x1FAC6, 0x1FAC6)),
    *((0x1FADC, 0x1FADF), (0x1FAE9, 0x1FAE9), (0x1FBCB, 0x1FBEF)),
)
"""What Unicode 16 brought, which Hugging Face's library knows. The tables of llama.cpp are of Unicode 15.1."""
_KNOWN: Final = f"[^{''.join(f'{chr(first)}-{chr(last)}' for first, last in _LATER)}]"


def _dated(meaning: PreTokenizer) -> PreTokenizer:
    """The same patterns in the Unicode of llama.cpp."""
    dated = (_CLASS.sub(rf"[\\p{{\1}}&&{_KNOWN}]", pattern) for pattern in meaning.patterns)
    return msgspec.structs.replace(meaning, patterns=tuple(dated))


PRE_TOKENIZERS: Final[dict[str, PreTokenizer]] = {name: _dated(each) for names, each in _GROUPS for name in names}
"""By the name in `tokenizer.ggml.pre`; the empty one where a file has none."""


def pre_tokenizer(name: str, model: str) -> PreTokenizer:
    """What a name means.

    Raises:
        ModelLoadError: it is not known here.
    """
    found = PRE_TOKENIZERS.get(name)
    if found is None:
        raise ModelLoadError(
            f"camelid-tokenizers cannot cut out words as {name!r}, which model {model!r} needs; run it on a backend "
            "that tokenizes by itself, such as llamacpp"
        )
    return found
