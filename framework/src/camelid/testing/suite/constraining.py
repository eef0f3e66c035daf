"""Answers that are held to a grammar."""

import json
from typing import Final

import msgspec

from camelid.errors import RequestError
from camelid.testing.host import Host
from camelid.testing.outcomes import check, expect_error, fail, needs
from camelid.testing.suite.generating import PROMPT, check_sound, greedy
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason
from camelid.types.grammar import Grammar
from camelid.types.json import JsonObject
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Submit

__all__ = ("ConstrainingCases",)

_ITEM: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "size": {"type": "integer", "minimum": 1, "maximum": 99},
        "kind": {"enum": ["small", "large", None]},
    },
    "required": ["name", "size", "kind"],
    "additionalProperties": False,
}
_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}, "minItems": 1, "maxItems": 2},
        "done": {"type": "boolean"},
    },
    "required": ["items", "done"],
    "additionalProperties": False,
    "$defs": {"item": _ITEM},
}
_ROOM: Final = 160
"""Tokens that hold most answers to `_SCHEMA`, even a byte each."""


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    size: int
    kind: str | None


class _Answer(msgspec.Struct, forbid_unknown_fields=True):
    items: list[_Item]
    done: bool


def _held(grammar: Grammar, *, temperature: float = 0.0, seed: int = 0, tokens: int = _ROOM) -> Submit:
    sampling = SamplingOptions(temperature=temperature, seed=seed, num_predict=tokens)
    return Submit(id=0, prompt=PROMPT, sampling=sampling, constraint=grammar)


def _schema(schema: JsonObject) -> Grammar:
    return Grammar("json_schema", msgspec.json.encode(schema).decode())


def _check_answer(text: str) -> None:
    try:
        answer = msgspec.json.decode(text, type=_Answer)
    except msgspec.MsgspecError as error:
        fail(f"expected an answer as the schema wants it; came {text!r}: {error}")
    check(1 <= len(answer.items) <= 2, "one item or two", answer.items)
    for item in answer.items:
        check(len(item.name) <= 5, "a name of at most 5 characters", item.name)
        check(1 <= item.size <= 99, "a size from 1 to 99", item.size)
        check(item.kind in ("small", "large", None), "a kind that is small, large or null", item.kind)


class ConstrainingCases:
    """Constrain."""

    @needs(Capability.CONSTRAINTS)
    def test_a_schema_is_obeyed_at_any_temperature(self, host: Host) -> None:
        """Proves that what the grammar forbids is never chosen. Look at `token_bytes`, and at the engine's masks."""
        wild = [_held(_schema(_SCHEMA), temperature=1.5, seed=seed) for seed in range(3)]
        finished = 0
        for answer in host.answers([_held(_schema(_SCHEMA)), *wild]):
            check_sound(answer.deltas)
            if answer.finish is FinishReason.STOP:
                finished += 1
                _check_answer(answer.text)
        check(finished > 0, f"an answer that ends within {_ROOM} tokens", finished)

    @needs(Capability.CONSTRAINTS)
    def test_json_is_an_object(self, host: Host) -> None:
        """Proves that an answer in JSON begins as an object and, if it ends by itself, is one."""
        for answer in host.answers([_held(Grammar("json"), temperature=1.5, seed=seed) for seed in range(3)]):
            check(answer.text.startswith("{"), "an answer that begins with a brace", answer.text)
            if answer.finish is FinishReason.STOP:
                value = json.loads(answer.text)  # as lenient with 1e999 as JSON itself
                check(isinstance(value, dict), "an object", value)

    @needs(Capability.CONSTRAINTS)
    def test_a_complete_answer_ends(self, host: Host) -> None:
        """Proves that nothing follows what the grammar has completed, and that all of it is counted."""
        answer = host.answer(_held(_schema({"const": ["apple", 7]})))
        check(json.loads(answer.text) == ["apple", 7], 'the JSON value ["apple", 7]', answer.text)
        check(answer.finish is FinishReason.STOP, "the finish 'stop'", answer.finish)
        check_sound(answer.deltas)

    @needs(Capability.CONSTRAINTS)
    def test_forced_tokens_heed_num_predict(self, host: Host) -> None:
        """Proves that tokens which the grammar forces count as any other. If it fails, look at how ends are counted."""
        answer = host.answer(_held(_schema({"const": "one two three four five six seven eight"}), tokens=3))
        check(answer.tokens == 3, "3 tokens", answer.tokens)
        check(answer.finish is FinishReason.LENGTH, "the finish 'length'", answer.finish)

    @needs(Capability.CONSTRAINTS)
    def test_free_answers_beside_constrained_ones_stay_free(self, host: Host) -> None:
        """Proves that a grammar holds one sequence only. If it fails, look at what sequences share."""
        # What comes next is so clear that the rounding of other batch sizes cannot change it.
        free = greedy("word: river\n" * 5 + "word:")
        constrained = _held(Grammar("regex", "(no|yes)!{3}"))
        answers = host.answers([free, constrained, free, constrained])
        for answer in answers[::2]:
            if "river" not in answer.text:
                alone = host.answer(free).text
                check(answer.text == alone, f"{alone!r}, as without others that a grammar holds", answer.text)
        for answer in answers[1::2]:
            check(answer.text in ("no!!!", "yes!!!"), "'no!!!' or 'yes!!!'", answer.text)

    @needs(Capability.CONSTRAINTS)
    def test_a_faulty_schema_is_named_and_leaves_others_alone(self, host: Host) -> None:
        """Proves that a wrong schema is the client's error, with a sentence that says what is wrong."""
        error = expect_error(RequestError, host.answer, _held(_schema({"type": "strange"})))
        check("strange" in error.message, "a sentence about the type 'strange'", error.message)
        text = host.answer(greedy(PROMPT)).text
        check(bool(text), "an answer to the next request", text)
