"""One answer and its grammar, with a tokenizer of bytes and a sampler that takes the likeliest."""

import json
import re
from functools import partial

import numpy as np
import pytest
from llguidance import LLMatcher

from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.constraint import Constraint
from camelid.decoding.grammar_source import grammar_source
from camelid.decoding.sampling import LogitsSampler
from camelid.decoding.thoughts import with_thoughts
from camelid.decoding.vocabulary import guidance_tokenizer
from camelid.errors import RequestError
from camelid.types.grammar import Grammar
from camelid.types.options import SamplingOptions

END = 300


class Bytes(Tokenizer):
    """Bytes, and a few longer tokens; perhaps it puts a space in front of every text."""

    def __init__(self, *, ends: bool = True, space: bytes = b"", missing: bytes = b"") -> None:
        self.ends, self.space, self.missing = ends, space, missing
        self.words = {260: b"lla", 261: b"ma", 262: b"\xffx"}

    @property
    def vocabulary_size(self) -> int:
        return 310

    @property
    def end_tokens(self) -> frozenset[int]:
        return frozenset({END}) if self.ends else frozenset()

    def encode(self, text: str, *, add_special: bool, parse_special: bool) -> list[int]:
        tokens = list(self.space + text.encode())
        joined = bytes(tokens).replace(b"lla", b"\xfe").replace(b"ma", b"\xfd")
        return [{0xFE: 260, 0xFD: 261}.get(byte, byte) for byte in joined]

    def token_bytes(self, token: int) -> bytes:
        if token < 256:
            return b"" if token in self.missing else bytes((token,))
        return self.words.get(token, b"")


class Writer:
    """Wants to write `wish`, and writes what the grammar lets through."""

    def __init__(self, grammar: Grammar, wish: bytes = b"", tokenizer: Tokenizer | None = None, **options) -> None:
        tokenizer = tokenizer or Bytes()
        source = grammar_source(grammar)
        if grammar.thinking:
            source = with_thoughts(source, grammar.thinking, tokenizer)
        matcher = LLMatcher(guidance_tokenizer(tokenizer), source, log_level=0)
        assert not matcher.is_error(), matcher.get_error()
        self.tokenizer, self.wish, self.said = tokenizer, wish, []
        self.constraint = Constraint(matcher, tokenizer)
        options = SamplingOptions(**{"temperature": 0.0, **options})
        self.sampler = LogitsSampler(self.constraint.restricted(self.logits), options, 1, (0,), 100)
        self.chosen: list[list[int]] = []

    def logits(self, row: int) -> np.ndarray:
        logits = np.zeros(320, np.float32)  # more than the vocabulary, as models have that are padded
        logits[310:] = 9.0
        logits[[9, 10, 32]] = -1.0
        place = len(self.text)
        logits[self.wish[place] if place < len(self.wish) else END] = 5.0
        return logits

    @property
    def text(self) -> bytes:
        return b"".join(self.tokenizer.token_bytes(token) for token in self.said)

    def run(self, most: int = 100, steps: int = 200) -> bytes:
        for _ in range(steps):
            tokens, ended = self.constraint.choose(self.sampler, 0, most)
            assert len(tokens) <= most
            assert tokens or ended
            self.chosen.append(tokens)
            self.said += tokens
            if ended:
                return self.text
        raise AssertionError(f"no end: {self.text!r}")


def test_the_likeliest_allowed_token_is_chosen():
    assert Writer(Grammar("regex", "[a-c]{3}x?"), b"cab").run() == b"cab"
    assert Writer(Grammar("regex", "[a-c]{3}x?"), b"zzzx").run() == b"aaax"


def test_the_end_is_possible_only_where_the_grammar_may_stop():
    assert Writer(Grammar("regex", "[ab]{2,4}"), b"").run() == b"aa"
    assert Writer(Grammar("regex", "[ab]{2,4}"), b"bbb").run() == b"bbb"


def test_a_complete_answer_ends_without_an_end_token():
    writer = Writer(Grammar("regex", "[ab]{2}"), b"bbbbb")
    assert writer.run() == b"bb"
    assert len(writer.chosen) == 2


def test_what_is_forced_comes_at_once_and_in_the_models_own_tokens():
    writer = Writer(Grammar("regex", "a llama [xy] llama"), b"a llama y")
    assert writer.run() == b"a llama y llama"
    assert {260, 261} <= set(writer.said)
    assert len(writer.chosen) < 5


def test_no_more_tokens_than_there_is_room_for():
    writer = Writer(Grammar("regex", "a llama [xy] llama"), b"a llama y")
    assert writer.run(most=2) == b"a llama y llama"
    writer = Writer(Grammar("regex", "abc"))
    assert writer.run(most=1) == b"abc"
    assert [len(tokens) for tokens in writer.chosen] == [1, 1, 1]


@pytest.mark.parametrize("space", [b" ", "\u2581".encode()])
def test_a_tokenizer_that_puts_something_in_front(space):
    writer = Writer(Grammar("regex", "llama[xy]llama"), b"llamayll", Bytes(space=space))
    assert writer.run() == b"llamayllama"


def test_a_tokenizer_without_end_tokens():
    writer = Writer(Grammar("regex", "[ab]{2}"), b"ba", Bytes(ends=False))
    assert writer.run() == b"ba"


def test_words_that_the_vocabulary_cannot_write():
    writer = Writer(Grammar("regex", "[xy]"), tokenizer=Bytes(missing=b"xy"))
    with pytest.raises(RequestError, match="cannot go on"):
        writer.run()


def test_forced_tokens_count_for_penalties():
    options = {"repeat_penalty": 1.0, "presence_penalty": 9.0}
    writer = Writer(Grammar("regex", "xxx[xyz]{2}"), b"xxxxx", temperature=0.0, **options)
    assert writer.run() == b"xxxyz"


@pytest.mark.parametrize("thinking", [("<t>", "</t>"), ("", "</t>")])
def test_thoughts_are_free_up_to_their_end(thinking):
    grammar = Grammar("json_schema", '{"const":7}', thinking)
    wish = thinking[0].encode() + 'so {"x" ä\n<'.encode() + b"</t>\n8"
    assert Writer(grammar, wish).run() == wish[:-1] + b"7"


def test_thoughts_may_be_left_out_unless_the_prompt_began_them():
    assert Writer(Grammar("json_schema", '{"const":7}', ("<t>", "</t>")), b"7").run() == b"7"
    assert Writer(Grammar("json_schema", '{"const":7}', ("", "</t>")), b"7</t>7").run() == b"7</t>7"


@pytest.mark.parametrize(("tags", "opening"), [(("<t>", "</t>"), [301]), (("", "</t>"), [])])
def test_thoughts_between_control_tokens(tags, opening):
    class Controlled(Bytes):
        def encode(self, text, *, add_special, parse_special):
            control = {"<t>": 301, "</t>": 302} if parse_special else {}
            return [control[text]] if text in control else super().encode(text, add_special=False, parse_special=False)

    wish = [*opening, *b"so </t>\n", 302, *b"8"]
    rest = iter(wish)
    writer = Writer(Grammar("regex", "[78]", tags), tokenizer=Controlled())
    writer.logits = lambda row: np.eye(310, dtype=np.float32)[next(rest)]
    restricted = writer.constraint.restricted(writer.logits)
    writer.sampler = LogitsSampler(restricted, SamplingOptions(temperature=0), 1, (0,), 100)
    writer.run(most=1)
    assert writer.said == wish


def test_thoughts_in_a_message_of_their_own():
    control = {"<|channel|>": 301, "<|message|>": 302, "<|end|>": 303, "<|start|>": 304}

    class Controlled(Bytes):
        def encode(self, text, *, add_special, parse_special):
            parts = [part for part in re.split(r"(<\|\w+\|>)", text) if part]
            encode = partial(super().encode, add_special=False, parse_special=False)
            return [token for part in parts for token in ([control[part]] if part in control else encode(part))]

    tags = ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")
    wish = [301, *b"analysis", 302, *b"so <|end|> ", 303, 304, *b"assistant", 301, *b"final", 302, *b"8"]
    writer = Writer(Grammar("regex", "[78]", tags), tokenizer=Controlled())
    writer.logits = lambda row: np.eye(310, dtype=np.float32)[wish[len(writer.said)]]
    restricted = writer.constraint.restricted(writer.logits)
    writer.sampler = LogitsSampler(restricted, SamplingOptions(temperature=0), 1, (0,), 100)
    writer.run(most=1)
    assert writer.said == wish


def test_white_space_in_json_has_an_end():
    writer = Writer(Grammar("json"), b"{" + b"\n" * 100)
    with pytest.raises(AssertionError, match="no end"):
        writer.run(steps=60)
    assert writer.text.startswith(b"{\n\n")
    assert b"\n\n\n" not in writer.text


def test_a_wish_for_json_is_granted():
    wish = json.dumps({"a": [1, -2.5e3, True, None, {"ä": '\u20ac \\ " \n'}], "": {}}, ensure_ascii=False).encode()
    assert Writer(Grammar("json"), wish).run() == wish
