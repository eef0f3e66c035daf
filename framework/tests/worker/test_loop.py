import re
import struct

import msgspec
import pytest

from camelid.types.artifact import FileRole, ModelFile
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason
from camelid.types.grammar import Grammar
from camelid.wire.messages import (
    Cancel,
    Detokenize,
    Embed,
    Embedded,
    Failed,
    Goodbye,
    Rank,
    Ranked,
    Ready,
    Step,
    Tokenize,
    Tokens,
)


def test_requests_share_frames(conversation, starts, ask):
    talk = conversation()
    assert talk.run(starts.echo(), ask(1, "abcdef"), ask(2, "uvwxyz")) == 0
    assert (talk.text(1), talk.text(2)) == ("abcdef", "uvwxyz")
    assert all(len(step.deltas) == 2 for step in talk.steps)
    assert [type(message) for message in talk.messages] == [Ready, *[Step] * len(talk.steps), Goodbye]


def test_the_last_delta_tells_how_it_was(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "abc"))
    *deltas, last = talk.deltas(1)
    assert all(delta.timings is None and delta.finish is None for delta in deltas)
    assert last.finish is FinishReason.STOP
    assert (last.timings.prompt_tokens, last.timings.cached_tokens, last.timings.generated_tokens) == (5, 0, 3)
    assert last.timings.prompt_duration > 0
    assert last.timings.generation_duration > 0
    assert (last.timings.load_duration, last.timings.total_duration) == (0, 0)


def test_cached_tokens_are_counted(conversation, starts, ask):
    def react(message):
        if isinstance(message, Step) and message.deltas[0].finish and message.deltas[0].id == 1:
            yield ask(2, "abcdefghij")

    talk = conversation(react)
    talk.run(starts.echo(), ask(1, "abcdefghij"))
    assert talk.deltas(2)[-1].timings.cached_tokens == 11
    assert talk.text(2) == "abcdefghij"


def test_unfinished_characters_cause_no_frames(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "é🦙"))
    assert [(delta.text, delta.tokens) for delta in talk.deltas(1) if delta.text] == [("é", 2), ("🦙", 4)]


@pytest.mark.parametrize("tier", ["decoder", "batch", "engine"])
def test_stop_strings_end_the_answer(conversation, starts, ask, tier):
    talk = conversation()
    talk.run(starts.echo(backend={"tier": tier}), ask(1, "one<stop>two", stop=("<stop>",)))
    assert talk.text(1) == "one"
    last = talk.deltas(1)[-1]
    assert last.finish is FinishReason.STOP
    assert last.timings.generated_tokens == len("one<stop>")
    assert [delta.tokens for delta in talk.deltas(1)] == [1, 1, 1, 6]


def test_num_predict_ends_the_answer(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "abcdef", num_predict=3), ask(2, "é", num_predict=1))
    assert (talk.text(1), talk.deltas(1)[-1].finish) == ("abc", FinishReason.LENGTH)
    assert (talk.text(2), talk.deltas(2)[-1].finish) == ("�", FinishReason.LENGTH)


def test_held_back_text_comes_with_the_end(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "ab<st", stop=("<stop>",)))
    assert [delta.text for delta in talk.deltas(1)] == ["a", "b", "<st"]


def test_logprobs_travel_with_their_text_but_not_with_a_stop_string(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "aé<stop>", stop=("<stop>",), logprobs=True, top_logprobs=2))
    entries = [[entry.text for entry in delta.logprobs] for delta in talk.deltas(1)]
    assert entries == [[b"a"], [b"\xc3", b"\xa9"], []]
    first = talk.deltas(1)[0].logprobs[0]
    assert (first.token, first.top[0].token, len(first.top)) == (97, 97, 2)


def test_context_is_prompt_and_answer_without_a_stop_string(conversation, starts, ask):
    talk = conversation()
    talk.run(
        starts.echo(),
        ask(1, "ab", return_context=True),
        ask(2, "ab", return_context=True, stop=("b",)),
        ask(3, "ab"),
    )
    assert [talk.deltas(number)[-1].context for number in (1, 2, 3)] == [
        (256, 97, 98, 258, 97, 98),
        (256, 97, 98, 258, 97),
        (),
    ]


def test_cancelled_requests_are_heard_of_no_more(conversation, starts, ask):
    def react(message):
        if isinstance(message, Step) and message.deltas[0].id == 1:
            yield Cancel(1)

    talk = conversation(react)
    talk.run(starts.echo(), ask(1, "a" * 90), ask(2, "b" * 90))
    assert len(talk.deltas(1)) == 1
    assert talk.text(2) == "b" * 90


def test_requests_that_were_never_started_can_be_cancelled(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "a"), Cancel(1), ask(2, ()), Cancel(2), Embed(3, ("a",)), Cancel(3), Cancel(4))
    assert [type(message) for message in talk.messages] == [Ready, Goodbye]


def test_prompts_are_tokenized_as_asked(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "hi<|answer|>", add_special=False), ask(2, (104, 105, 258)))
    assert (talk.text(1), talk.text(2)) == ("hi", "hi")


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"prompt": "", "add_special": False}, "RequestError"),
        ({"prompt": ()}, "RequestError"),
        ({"prompt": (5, 260)}, "RequestError"),
        ({"prompt": (5, -1)}, "RequestError"),
        ({"prompt": "a" * 300, "truncate": False}, "PromptTooLongError"),
        ({"prompt": "a" * 300, "shift": False}, "PromptTooLongError"),
    ],
)
def test_wrong_prompts_are_the_clients_fault(conversation, starts, ask, fields, kind):
    talk = conversation()
    talk.run(starts.echo(), ask(1, **fields), ask(2, "well"))
    [refused] = talk.deltas(1)
    assert (refused.fault.kind, refused.fault.plugin, refused.finish) == (kind, "", None)
    assert talk.text(2) == "well"


def test_long_prompts_are_cut(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), ask(1, "a" * 300 + "end", num_keep=4, num_predict=5, return_context=True))
    context = talk.deltas(1)[-1].context
    # Begin and four tokens stay, and of the other 195 places of the context one half is filled with the end.
    assert context[: 5 + 97] == (256, 97, 97, 97, 97, *[97] * 93, *b"end", 258)
    assert talk.deltas(1)[-1].timings.prompt_tokens == 102


def test_embeddings(conversation, starts):
    talk = conversation()
    talk.run(starts.echo(), Embed(1, ("ab", "b")))
    answer = talk.answer(1)
    assert (answer.dimensions, answer.prompt_tokens) == (260, 4 + 3)
    rows = [struct.unpack_from("<260f", answer.vectors, row * 260 * 4) for row in range(2)]
    assert len(answer.vectors) == 2 * 260 * 4
    assert [rows[0][token] for token in (97, 98, 99, 256, 258)] == [1, 1, 0, 1, 1]
    assert [rows[1][token] for token in (97, 98)] == [0, 1]


def test_adapters_that_a_backend_would_ignore_are_refused(conversation, starts):
    start = starts.echo()
    files = (*start.artifact.files, ModelFile(path="/nowhere", role=FileRole.ADAPTER))
    talk = conversation()
    talk.run(msgspec.structs.replace(start, artifact=msgspec.structs.replace(start.artifact, files=files)))
    (failed,) = talk.messages
    assert failed.fault.kind == "UnsupportedCapabilityError"
    assert "does not support adapters on the backend echo" in failed.fault.message


def test_no_inputs_are_no_vectors(conversation, starts):
    talk = conversation()
    talk.run(starts.echo(), Embed(1, ()))
    assert talk.answer(1) == Embedded(1, b"", 260, 0)


def test_embedding_much_does_not_hold_up_answers(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), Embed(1, ("a",) * 30), ask(2, "b" * 20))
    assert talk.text(2) == "b" * 20
    assert len(talk.answer(1).vectors) == 30 * 260 * 4
    # One input a step while there is an answer to give, then the rest in one go.
    steps = len(talk.deltas(2))
    assert 1 < steps < 30
    assert [type(message) for message in talk.messages] == [Ready, *[Step] * steps, Embedded, Goodbye]


def test_inputs_that_are_too_long_are_cut_or_refused(conversation, starts):
    talk = conversation()
    talk.run(starts.echo(), Embed(1, ("a" * 300,)), Embed(2, ("a", "a" * 300), truncate=False), Embed(3, ("a",)))
    assert talk.answer(1).prompt_tokens == 200
    assert (talk.answer(2).fault.kind, talk.answer(2).fault.plugin) == ("PromptTooLongError", "")
    assert talk.answer(3).prompt_tokens == 3


def test_rankings(conversation, starts):
    talk = conversation()
    talk.run(starts.echo(), Rank(1, "abcd", ("", "xdcba", "ab")), Rank(2, "a", ()))
    assert talk.answer(1) == Ranked(1, (0.0, 1.0, 0.5), 3 * 5 + 7)
    assert talk.answer(2) == Ranked(2, (), 0)


def test_ranking_much_does_not_hold_up_answers_and_can_be_cancelled(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.echo(), Rank(1, "a", ("a",) * 30), Rank(3, "a", ("a",)), Cancel(3), ask(2, "b" * 20))
    assert talk.answer(1).scores == (1.0,) * 30
    steps = len(talk.deltas(2))
    assert 1 < steps < 30
    assert [type(message) for message in talk.messages] == [Ready, *[Step] * steps, Ranked, Goodbye]


def test_documents_that_are_too_long_are_cut_or_refused(conversation, starts):
    talk = conversation()
    long = "é" * 150
    talk.run(
        starts.echo(),
        Rank(1, "éab", (long, "a")),
        Rank(2, "é", (long,), truncate=False),
        Rank(3, "a" * 199, ("a", "")),
        Rank(4, "a" * 199, ("",)),
    )
    # Of 200 places the query takes four and the break one; the last of 195 bytes of the document is half a character.
    assert talk.answer(1) == Ranked(1, (0.5, 0.25), 199 + 6)
    assert (talk.answer(2).fault.kind, talk.answer(2).fault.plugin) == ("PromptTooLongError", "")
    assert talk.answer(3).fault.message == "the query leaves no room for documents: shorten it"
    assert talk.answer(4) == Ranked(4, (0.0,), 200)


def test_tokens_to_text_and_back(conversation, starts):
    talk = conversation()
    talk.run(
        starts.echo(),
        Tokenize(1, "é<|end|>"),
        Tokenize(2, "<|end|>", add_special=False, parse_special=False),
        Detokenize(3, (0xC3, 0xA9, 257, 0xFF)),
        Detokenize(4, (0, 260)),
    )
    assert talk.answer(1).tokens == (256, 0xC3, 0xA9, 257, 258)
    assert talk.answer(2).tokens == tuple(b"<|end|>")
    assert talk.answer(3).text == "é�"
    assert talk.answer(4).fault.kind == "RequestError"


@pytest.mark.usefixtures("troublemaker")
class TestTrouble:
    def test_a_failing_decoder_fails_its_batch_and_is_named(self, conversation, starts, ask):
        def react(message):
            if isinstance(message, Step) and message.deltas[0].id == 1:
                yield ask(2, "fine")

        talk = conversation(react)
        assert talk.run(starts.trouble(), ask(1, "oh!")) == 0
        [delta] = talk.deltas(1)
        assert delta.fault.plugin == "troublemaker"
        assert delta.fault.reason == "ZeroDivisionError: a decoder's mistake"
        assert "see the server's log" in delta.fault.message
        assert talk.text(2) == "x" * 7

    @pytest.mark.parametrize(
        ("trouble", "kind"), [("step", "CamelidError"), ("lost", "ModelError"), ("no generator", None)]
    )
    def test_a_bad_engine_fails_its_requests(self, conversation, starts, ask, trouble, kind):
        talk = conversation()
        assert talk.run(starts.trouble(trouble), ask(1, "a"), ask(2, "b")) == 0
        for number in (1, 2):
            [delta] = talk.deltas(number)
            assert delta.fault.kind == (kind or "UnsupportedCapabilityError")
            assert delta.fault.plugin == ("troublemaker" if kind else "")

    def test_constraints_come_with_logits_and_are_refused_where_an_engine_does_not_declare_them(
        self, conversation, starts, ask
    ):
        asked = ask(1, "a")
        asked.constraint = Grammar("regex", "[xy]z")
        lifted, own = conversation(), conversation()
        lifted.run(starts.trouble(), asked)
        assert Capability.CONSTRAINTS in lifted.messages[0].facts.capabilities
        assert lifted.text(1) == "xz"
        own.run(starts.trouble("lost"), asked)
        assert Capability.CONSTRAINTS not in own.messages[0].facts.capabilities
        assert own.deltas(1)[0].fault.kind == "UnsupportedCapabilityError"

    def test_a_tokenizer_that_raises_fails_what_it_was_asked(self, conversation, starts, ask):
        talk = conversation()
        talk.run(starts.trouble(), ask(1, "unreadable"), Tokenize(2, "unreadable"), Tokenize(3, "a"))
        assert talk.deltas(1)[0].fault.reason == "ValueError: unreadable"
        assert talk.answer(2).fault.plugin == "troublemaker"
        assert talk.answer(3) == Tokens(3, (97,))

    def test_a_model_that_cannot_embed(self, conversation, starts):
        talk = conversation()
        talk.run(starts.trouble(), Embed(1, ("a",)))
        assert talk.answer(1).fault.kind == "UnsupportedCapabilityError"

    def test_vectors_of_the_wrong_shape(self, conversation, starts):
        talk = conversation()
        talk.run(starts.trouble("shape"), Embed(1, ("a",)))
        assert (talk.answer(1).fault.kind, talk.answer(1).fault.plugin) == ("ModelError", "troublemaker")

    def test_a_model_that_cannot_rank(self, conversation, starts):
        talk = conversation()
        talk.run(starts.trouble(), Rank(1, "a", ("a",)))
        assert talk.answer(1).fault.kind == "UnsupportedCapabilityError"

    @pytest.mark.parametrize(
        ("trouble", "reason"),
        [("score shape", r"shape \(2,\), not \(1,\)"), ("score range", "a score is not between 0 and 1: 7.0 to 7.0")],
    )
    def test_scores_that_are_none(self, conversation, starts, trouble, reason):
        talk = conversation()
        talk.run(starts.trouble(trouble), Rank(1, "a", ("a",)))
        fault = talk.answer(1).fault
        assert (fault.kind, fault.plugin) == ("ModelError", "troublemaker")
        assert re.fullmatch(reason, fault.reason)

    def test_a_loop_that_breaks_returns_and_says_so(self, conversation, starts, ask):
        talk = conversation()
        assert talk.run(starts.trouble("step"), ask(99, "a")) == 70
        assert isinstance(talk.messages[-1], Failed)
        assert talk.messages[-1].id == 0
