"""Which of llama.cpp's ways to split text before byte pairs are merged is a tokenizer's.

llama.cpp knows them by name. A tokenizer.json spells them out as a list of steps, and only a list that means exactly
what the name means is recognised: a near miss would make other tokens than the model was trained on.
"""

from collections.abc import Iterator

from camelid.errors import UnsupportedCapabilityError
from camelid_gguf.documents import Document

__all__ = ("pre_tokenizer",)

_ENGLISH = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_TAIL = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_UPPER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
_LOWER = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
_WORDS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+"

_LLAMA3 = rf"{_ENGLISH}|{_WORDS}|\p{{N}}{{1,3}}|{_SIGNS}[\r\n]*|{_TAIL}"
_QWEN2 = rf"{_ENGLISH}|{_WORDS}|\p{{N}}|{_SIGNS}[\r\n]*|{_TAIL}"
_QWEN35 = rf"{_ENGLISH}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_TAIL}"
_TEKKEN = rf"{_UPPER}|{_LOWER}|\p{{N}}|{_SIGNS}[\r\n/]*|{_TAIL}"
_GPT4O = rf"{_UPPER}{_ENGLISH}?|{_LOWER}{_ENGLISH}?|\p{{N}}{{1,3}}|{_SIGNS}[\r\n/]*|{_TAIL}"
_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_DEEPSEEK = (
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"""
    r"[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_TAIL}"
)
_CJK = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"

_NAMES: dict[tuple[str, ...], tuple[str, str]] = {
    (_GPT2,): ("gpt-2", ""),
    (r"\p{N}", _GPT2): ("smollm", ""),
    (_LLAMA3,): ("dbrx", "llama-bpe"),
    (_QWEN2,): ("qwen2", ""),
    (_QWEN35,): ("qwen35", ""),
    (_TEKKEN,): ("", "tekken"),
    (_GPT4O,): ("gpt-4o", "gpt-4o"),
    (r"\p{N}{1,3}", _CJK, _DEEPSEEK): ("deepseek-v3", ""),
}
"""llama.cpp's name by steps; the second where whole words are looked up before any merge (`ignore_merges`)."""


def pre_tokenizer(tokenizer: Document) -> str:
    """llama.cpp's name.

    Raises:
        UnsupportedCapabilityError: it has none for this.
    """
    steps = tuple(_plain(step) for step in _steps(tokenizer.section("pre_tokenizer")))
    whole = tokenizer.section("model").flag("ignore_merges", default=False)
    name = _NAMES.get(steps, ("", ""))[whole]
    if not name:
        raise UnsupportedCapabilityError(
            "the tokenizer of this model splits text in a way that GGUF has no name for",
            reason=f"ignore_merges {whole}, steps {steps}",
        )
    return name


def _steps(step: Document) -> Iterator[str]:
    """Regular expressions, one for each step."""
    match step.text("type"):
        case "Sequence":
            for inner in step.sections("pretokenizers"):
                yield from _steps(inner)
        case "Split":
            pattern = step.section("pattern").text("Regex")
            isolated = step.text("behavior") == "Isolated" and not step.flag("invert", default=False)
            # These expressions match everything, so that removing the rest of the text removes nothing.
            removed = step.text("behavior") == "Removed" and step.flag("invert", default=False)
            yield pattern if pattern and (isolated or removed) else f"unknown Split {pattern}"
        case "Digits":
            yield r"\p{N}" if step.flag("individual_digits", default=False) else r"\p{N}+"
        case "ByteLevel":
            if step.flag("add_prefix_space", default=True):
                yield "add_prefix_space"
            if step.flag("use_regex", default=True):
                yield _GPT2
        case kind:
            yield f"unknown {kind}"


def _plain(pattern: str) -> str:
    """The same expression in one spelling."""
    return pattern.replace("\r", r"\r").replace("\n", r"\n")
