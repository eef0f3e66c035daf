"""Generation: shape of the stream, limits, greedy and seeded sampling, log-probabilities, UTF-8."""

import math
from collections.abc import Sequence
from itertools import takewhile

from camelid.testing.host import Host
from camelid.testing.outcomes import check, needs
from camelid.testing.stream import check_stream
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Delta, Submit

__all__ = ("GREEDY", "PROMPT", "GeneratingCases", "check_sound", "greedy")

PROMPT = "one two three four one two three four one two three four one two three"
"""Any model goes on with this one for a while."""

GREEDY = SamplingOptions(temperature=0.0, num_predict=12)


def greedy(prompt: str, tokens: int = GREEDY.num_predict) -> Submit:
    """A request without chance."""
    return Submit(id=0, prompt=prompt, sampling=SamplingOptions(temperature=0.0, num_predict=tokens))


def _wild(seed: int) -> Submit:
    sampling = SamplingOptions(temperature=4.0, top_k=20, top_p=1.0, num_predict=12, seed=seed)
    return Submit(id=0, prompt=PROMPT, sampling=sampling)


def check_sound(deltas: Sequence[Delta], *, prompt_tokens: int | None = None) -> None:
    """Fail unless a stream keeps all rules (`check_stream`)."""
    __tracebackhide__ = True
    broken = check_stream(deltas, prompt_tokens=prompt_tokens)
    check(not broken, "a sound stream", broken)


class GeneratingCases:
    """Generate."""

    @needs(Capability.COMPLETION)
    def test_stream_is_sound(self, host: Host) -> None:
        """Proves order, counts and ends of a stream. If it fails, read the sentences and the engine's events."""
        prompt = host.run(host.client.tokenize(PROMPT, add_special=True, parse_special=True))
        answer = host.answer(greedy(PROMPT))
        check_sound(answer.deltas, prompt_tokens=len(prompt))
        check(bool(answer.text), "a text", answer.text)

    @needs(Capability.COMPLETION)
    def test_token_ids_are_as_good_as_text(self, host: Host) -> None:
        """Proves that a prompt of ids is used as it is. If it fails, compare with `Tokenizer.encode`."""
        prompt = host.run(host.client.tokenize(PROMPT, add_special=True, parse_special=True))
        by_ids = host.answer(Submit(id=0, prompt=prompt, sampling=GREEDY)).text
        by_text = host.answer(greedy(PROMPT)).text
        check(by_ids == by_text, f"{by_text!r}, as for the text", by_ids)

    @needs(Capability.COMPLETION)
    def test_num_predict_is_exact(self, host: Host) -> None:
        """Proves that generation stops at the limit. If it fails, look at how ends are counted."""
        answer = host.answer(greedy(PROMPT, tokens=3))
        check(answer.tokens == 3, "3 tokens", answer.tokens)
        check(answer.finish is FinishReason.LENGTH, "the finish 'length'", answer.finish)

    @needs(Capability.COMPLETION)
    def test_greedy_is_repeatable(self, host: Host) -> None:
        """Proves that a cached prefix changes nothing. If it fails, look at `trim` and `copy_prefix`."""
        first, again = host.answer(greedy(PROMPT)).text, host.answer(greedy(PROMPT)).text
        check(again == first, f"{first!r} again", again)

    @needs(Capability.COMPLETION)
    def test_same_seed_same_text(self, host: Host) -> None:
        """Proves that seeds are heeded. If it fails, look at `BatchDecoder.sampler` or the engine's sampling.

        One of four seeds is enough: native kernels round otherwise where tokens lie elsewhere in the KV cache, which
        now and then tips the choice between two tokens; a seed that is ignored never gives twelve equal ones.
        """
        pairs = ((host.answer(_wild(seed)).text, host.answer(_wild(seed)).text) for seed in range(4))
        other = list(takewhile(lambda pair: pair[0] != pair[1], pairs))
        check(len(other) < 4, "equal texts of equal seeds", other)

    @needs(Capability.COMPLETION)
    def test_other_seeds_other_texts(self, host: Host) -> None:
        """Proves that temperature and seed reach the sampler. If it fails, look there."""
        texts = {host.answer(_wild(seed)).text for seed in range(4)}
        check(len(texts) > 1, "other texts of other seeds", texts)

    @needs(Capability.COMPLETION)
    def test_characters_arrive_whole(self, host: Host) -> None:
        """Proves that UTF-8 split over tokens is held back. If it fails, look at `Tokenizer.token_bytes`.

        The answer is given where the model can be given one; elsewhere it is whatever the model makes of such a text.
        """
        text = "🦙語🦙語🦙語"
        if Capability.SCORING in host.facts.capabilities:
            tokens = host.run(host.client.tokenize(text, add_special=False, parse_special=False))
            answer = host.answer(Submit(id=0, prompt=PROMPT, forced=tokens))
            check(text in answer.text, f"the characters {text}", answer.text)
        else:
            answer = host.answer(greedy(text * 2, tokens=48))
        broken = [delta.text for delta in answer.deltas[:-1] if "\ufffd" in delta.text]
        check(not broken, "no replacement characters before the end", broken)

    @needs(Capability.LOGPROBS)
    def test_logprobs_are_a_distribution(self, host: Host) -> None:
        """Proves log-probabilities: at most 0, sorted, the greedy choice on top. If it fails, look at `logits`."""
        answer = host.answer(Submit(id=0, prompt=PROMPT, sampling=GREEDY, logprobs=True, top_logprobs=3))
        check(len(answer.logprobs) == answer.tokens, f"{answer.tokens} log-probabilities", len(answer.logprobs))
        for entry in answer.logprobs:
            ranked = [alternative.logprob for alternative in entry.top]
            check(len(ranked) == 3, "3 alternatives", ranked)
            check(ranked == sorted(ranked, reverse=True), "the most likely first", ranked)
            check(entry.top[0].token == entry.token, f"the chosen token {entry.token} on top", entry.top[0].token)
            check(entry.logprob <= 0, "a log-probability of at most 0", entry.logprob)
            check(sum(map(math.exp, ranked)) <= 1.0001, "probabilities of at most 1 together", ranked)
