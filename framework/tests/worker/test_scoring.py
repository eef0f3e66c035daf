import math

import msgspec
import numpy as np
import pytest

from camelid.contracts.tokenizer import Tokenizer
from camelid.errors import ModelError, RequestError
from camelid.types.capabilities import Capability
from camelid.wire.messages import Fingerprint, Submit
from camelid.worker.scoring import DTYPE, Scores, divergence, vocabulary_digest


class Words(Tokenizer):
    end_tokens = frozenset()

    def __init__(self, *words: bytes) -> None:
        self.words = words

    @property
    def vocabulary_size(self) -> int:
        return len(self.words)

    def encode(self, text, *, add_special, parse_special):
        return []

    def token_bytes(self, token):
        return self.words[token]


def log(*shares: float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(np.array(shares, np.float32))


def test_divergence_is_what_the_books_say():
    wanted = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert divergence(log(0.5, 0.5), log(0.25, 0.75)) == pytest.approx(wanted)
    assert divergence(log(0.25, 0.75), log(0.5, 0.5)) != pytest.approx(wanted)
    assert divergence(log(0.25, 0.75), log(0.25, 0.75)) == pytest.approx(0, abs=1e-7)


def test_what_one_rules_out_costs_everything_or_nothing():
    assert divergence(log(1, 0), log(0.5, 0.5)) == pytest.approx(math.log(2))
    assert divergence(log(0.5, 0.5), log(1, 0)) == math.inf


def test_half_precision_is_enough():
    random = np.random.default_rng(7)
    for spread in (1, 5, 15):
        logits = random.normal(0, spread, 50_000)
        row = (logits - np.log(np.exp(logits).sum())).astype(np.float32)
        assert divergence(row.astype(DTYPE), row) < 1e-5


def test_scores_are_taken_once_and_compared_in_order():
    first, second = log(0.25, 0.75), log(0.5, 0.5)
    kept = Scores(Submit(1, "", forced=(0, 1), distributions=True))
    kept.add([first])
    kept.add([second])
    reference, none = kept.take()
    assert (len(reference), none, kept.take()) == (8, (), (b"", ()))
    other = Scores(Submit(1, "", forced=(0, 1), reference=reference))
    other.add([first, first])
    rows, (same, apart) = other.take()
    assert rows == b""
    assert same == pytest.approx(0, abs=1e-4)
    assert apart == pytest.approx(divergence(second, first), abs=1e-3)


def test_references_of_other_texts_and_vocabularies_are_refused():
    with pytest.raises(RequestError, match="does not belong"):
        Scores(Submit(1, "", forced=(0, 1), reference=b"123456"))
    scores = Scores(Submit(1, "", forced=(0,), reference=b"\0" * 6))
    with pytest.raises(ModelError, match="differ in size"):
        scores.add([log(0.5, 0.5)])


def test_the_digest_is_of_tokens_in_their_places():
    assert vocabulary_digest(Words(b"a", b"bc")) == vocabulary_digest(Words(b"a", b"bc"))
    assert len({vocabulary_digest(Words(*words)) for words in ((b"a", b"bc"), (b"bc", b"a"), (b"ab", b"c"))}) == 3


@pytest.mark.usefixtures("troublemaker")
def test_a_wrong_reference_fails_its_request_only(conversation, starts, ask):
    good, odd, wide = (msgspec.structs.replace(ask(number, "a"), forced=(120, 121)) for number in (1, 2, 3))
    odd.reference, wide.reference = b"123", b"\0" * 2 * 2 * 3
    talk = conversation()
    assert talk.run(starts.trouble(), good, odd, wide, Fingerprint(4)) == 0
    assert Capability.SCORING in talk.messages[0].facts.capabilities
    assert talk.text(1) == "xy"
    assert talk.deltas(2)[-1].fault.kind == "RequestError"
    assert talk.deltas(3)[-1].fault.message == "the models' vocabularies differ in size"
    assert len(talk.answer(4).text) == 64


@pytest.mark.usefixtures("troublemaker")
def test_an_engine_that_does_not_declare_it_is_never_asked(conversation, starts, ask):
    talk = conversation()
    talk.run(starts.trouble("lost"), msgspec.structs.replace(ask(1, "a"), forced=(1,)))
    assert talk.deltas(1)[0].fault.kind == "UnsupportedCapabilityError"
