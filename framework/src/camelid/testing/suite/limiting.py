"""What does not fit, and what is no input."""

from typing import Final

import msgspec

from camelid.contracts.generation import BatchDecoder, KVCacheFullError
from camelid.contracts.placement import WorkerSpec
from camelid.errors import CamelidError, PromptTooLongError, RequestError
from camelid.testing.drive import Drive, check_same_logits, prompt_of
from camelid.testing.host import Host
from camelid.testing.outcomes import check, expect_error, needs
from camelid.testing.parts import Parts, opened
from camelid.testing.suite.generating import PROMPT, check_sound, greedy
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Submit

__all__ = ("LimitingCases",)

_CONTEXT: Final = 128
"""Tokens: little, and more than `PROMPT` has, a byte each."""


class LimitingCases:
    """Keep to limits, and refuse what is no input."""

    @needs(Capability.COMPLETION)
    def test_the_context_is_a_limit(self, host: Host) -> None:
        """Proves that prompt and answer together stay within `ModelFacts.context_length`, and fill it. Look there."""
        sampling = SamplingOptions(temperature=0.0, num_predict=-1)
        asked = Submit(id=0, prompt=PROMPT, sampling=sampling, shift=False, return_context=True)
        with host.another(_tight(host.spec, parallel=1)) as client:
            answer = host.run(host.collect(asked, client))
        check_sound(answer.deltas)
        limit = client.ready.facts.context_length
        check(len(answer.context) <= limit, f"at most {limit} tokens", len(answer.context))
        if answer.finish is FinishReason.LENGTH:
            check(len(answer.context) >= limit - 1, f"an end only after {limit} tokens", len(answer.context))

    @needs(Capability.COMPLETION)
    def test_a_prompt_beyond_the_context_is_cut_or_refused(self, host: Host) -> None:
        """Proves that a prompt of any length is dealt with before the backend sees it. Look at `context_length`."""
        long = greedy(PROMPT * 40, tokens=2)
        whole = msgspec.structs.replace(long, truncate=False)
        with host.another(_tight(host.spec, parallel=1)) as client:
            answer = host.run(host.collect(long, client))
            expect_error(PromptTooLongError, lambda: host.run(host.collect(whole, client)))
        check_sound(answer.deltas)
        limit, kept = client.ready.facts.context_length, answer.timings and answer.timings.prompt_tokens
        check(bool(kept and kept < limit), f"a prompt cut to fewer than {limit} tokens", kept)

    @needs(Capability.COMPLETION)
    def test_what_are_no_tokens_is_refused(self, host: Host) -> None:
        """Proves that token ids beyond the vocabulary reach no native code, and that others go on."""
        size = host.facts.vocabulary_size
        for tokens in ((), (-1,), (size,), (0, size + 7), (2**31 - 1,), (2**40,)):
            expect_error(RequestError, host.answer, Submit(id=0, prompt=tokens, sampling=greedy(PROMPT).sampling))
        text = host.answer(greedy(PROMPT)).text
        check(bool(text), "an answer to the next request", text)

    def test_a_full_cache_is_as_it_was(self, parts: Parts) -> None:
        """Proves that a batch without room changes nothing. If it fails, `KVCacheFullError` comes too late.

        Only a `BatchDecoder` says that its cache is full; one that is never full has nothing to prove.
        """
        if not isinstance(parts.generator, BatchDecoder):
            return
        with opened(_tight(parts.spec, parallel=2)) as tight:
            drive = Drive.of(tight)
            if drive is None:
                return
            prompt = (prompt_of(tight) * _CONTEXT)[: drive.limits.context_length]
            expected = drive.feed(0, prompt)
            for sequence in range(1, drive.limits.sequences):
                drive.feed(sequence, prompt)
            try:
                drive.feed(0, prompt[:1])
            except KVCacheFullError:
                pass
            except CamelidError:
                return  # this decoder counts the tokens of a sequence, which the framework does, too
            else:
                return  # there was room
            if drive.trim(0, len(prompt) - 1):
                check_same_logits(drive.feed(0, prompt[-1:]), expected, "after a batch that found no room")


def _tight(spec: WorkerSpec, *, parallel: int) -> WorkerSpec:
    """The same model with a small context."""
    options = msgspec.structs.replace(spec.options, context_length=_CONTEXT, parallel=parallel)
    return msgspec.structs.replace(spec, options=options)
