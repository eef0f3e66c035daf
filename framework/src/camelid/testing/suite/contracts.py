"""The objects themselves: what the framework takes for granted of them, asked of each directly."""

import numpy as np

from camelid.testing.drive import Drive, check_same_logits, prompt_of
from camelid.testing.outcomes import check, fail
from camelid.testing.parts import Parts
from camelid.types.capabilities import Capability

__all__ = ("ContractCases",)


class ContractCases:
    """Keep the contracts of `camelid.contracts`. An `Engine` shows no logits, and has nothing to prove of them."""

    def test_what_is_declared_is_what_the_hooks_return(self, parts: Parts) -> None:
        """Proves that no capability is promised in vain, or hidden. Look at `LoadedModel.facts` and the hooks.

        A capability that is not declared is refused before the backend is asked, so nobody could use it.
        """
        declared = parts.facts.capabilities
        found = (
            (Capability.COMPLETION, "camelid_generator", parts.generator),
            (Capability.EMBEDDING, "camelid_embedder", parts.embedder),
            (Capability.RERANK, "camelid_ranker", parts.ranker),
        )
        for capability, hook, part in found:
            if capability in declared and part is None:
                fail(f"the model declares {capability.value!r}, but `{hook}` returned None")
            if capability not in declared and part is not None:
                fail(f"`{hook}` returned a {type(part).__name__}, but the model does not declare {capability.value!r}")

    def test_vocabulary_sizes_agree(self, parts: Parts) -> None:
        """Proves that tokenizer and facts speak of one vocabulary. Look at both `vocabulary_size`."""
        size, ends = parts.tokenizer.vocabulary_size, parts.tokenizer.end_tokens
        check(size == parts.facts.vocabulary_size, f"{parts.facts.vocabulary_size} tokens, as `facts` says", size)
        check(all(0 <= token < size for token in ends), f"end tokens below {size}", ends)

    def test_logits_are_one_float32_for_each_token(self, parts: Parts) -> None:
        """Proves shape and type of logits. If it fails, look at `Decoder.feed` or `BatchDecoder.logits`."""
        drive = Drive.of(parts)
        if drive is None:
            return
        logits = drive.feed(0, prompt_of(parts))
        check(isinstance(logits, np.ndarray), "logits as a NumPy array", type(logits).__name__)
        check(logits.dtype == np.dtype(np.float32), "float32", logits.dtype)
        shape = (parts.tokenizer.vocabulary_size,)
        check(logits.shape == shape, f"the shape {shape}", logits.shape)
        check(not np.isnan(logits).any(), "numbers", logits)

    def test_trimmed_tokens_are_forgotten(self, parts: Parts) -> None:
        """Proves that after `trim` the same tokens give the same logits. Return False where `trim` cannot be done."""
        drive = Drive.of(parts)
        if drive is None:
            return
        prompt = prompt_of(parts)
        token, expected = drive.go_on(prompt)
        if drive.trim(0, len(prompt)):
            check_same_logits(drive.feed(0, [token]), expected, "after the same tokens")

    def test_shifted_tokens_leave_no_gap(self, parts: Parts) -> None:
        """Proves that a sequence goes on after `shift`, and is as it was if `shift` returned False. Look there."""
        drive = Drive.of(parts)
        if drive is None:
            return
        prompt = prompt_of(parts)
        token, expected = drive.go_on(prompt)
        keep, discard = len(prompt) // 4, len(prompt) // 4
        if drive.decoder.shift(0, keep, discard):
            drive.lengths[0] -= discard
            logits = drive.feed(0, [token])
            check(bool(np.isfinite(logits).any()), "logits after a shift", logits)
        elif drive.trim(0, len(prompt)):
            check_same_logits(drive.feed(0, [token]), expected, "after a shift that was refused")
