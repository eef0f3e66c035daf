"""Grammars in llguidance's own notation, and the bounds of all of them."""

from typing import Final

from llguidance import LLMatcher, LLParserLimits

from camelid.types.grammar import Grammar

__all__ = ("LIMITS", "fault_text", "grammar_source")

LIMITS: Final = LLParserLimits(max_lexer_states=50_000, precompute_large_lexemes=False, verbose_errors=False)
"""llguidance's own bounds, with less memory: a lexer's state takes up to 2 kB."""

_WHITE_SPACE: Final = r"\x20|\n{1,2}[\x20\t]{0,32}"
"""White space in JSON: enough to indent with. Unbounded, a small model may write nothing else to the end."""
_LONGEST_FAULT: Final = 300
"""Characters; of a longer one, the middle goes: it shows the pattern in front of what is wrong with it."""
_NOTHING: Final = "NoExtensionBias"
"""What llguidance says where no text at all is left."""


def grammar_source(grammar: Grammar) -> str:
    """The grammar as `LLMatcher` reads it, without thoughts; whether it can be compiled is not certain yet.

    Raises:
        ValueError: a schema is no JSON.
    """
    match grammar.kind:
        case "regex":
            return LLMatcher.grammar_from_regex(grammar.text)
        case "lark":
            return LLMatcher.grammar_from_lark(grammar.text)
        case _:
            schema = grammar.text if grammar.kind == "json_schema" else '{"type":"object"}'
    return LLMatcher.grammar_from_json_schema(schema, overrides={"whitespace_pattern": _WHITE_SPACE})


def fault_text(error: str) -> str:
    """What a client can use of an error of llguidance: not where in llguidance it happened."""
    text = error.partition("\n<")[0].strip()
    text = "nothing satisfies it" if text == _NOTHING else text
    half = _LONGEST_FAULT // 2
    return text if len(text) <= _LONGEST_FAULT else f"{text[:half]} … {text[-half:]}"
