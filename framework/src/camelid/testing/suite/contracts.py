"""The objects themselves: what the framework takes for granted of them, asked of each directly."""

from collections.abc import Sequence

import numpy as np
import pytest

from camelid.contracts.batch import Batch
from camelid.contracts.generation import BatchDecoder, Decoder, Generator, Logits
from camelid.testing.parts import Parts
from camelid.testing.suite.generating import PROMPT
from camelid.types.capabilities import Capability

__all__ = ("ContractCases",)


class ContractCases:
    """Keep the contracts of `camelid.contracts`."""

    def test_what_is_declared_is_what_the_hooks_return(self, parts: Parts) -> None:
        """Proves that no capability is promised in vain, or hidden. Look at `LoadedModel.facts` and the hooks.

        A capability that is not declared is refused before the backend is asked, so nobody could use it.
        """
        declared = parts.model.facts.capabilities
        found = (
            (Capability.COMPLETION, "camelid_generator", parts.generator),
            (Capability.EMBEDDING, "camelid_embedder", parts.embedder),
            (Capability.RERANK, "camelid_ranker", parts.ranker),
        )
        for capability, hook, part in found:
            if capability in declared and part is None:
                pytest.fail(f"the model declares {capability.value!r}, but `{hook}` returned None")
            if capability not in declared and part is not None:
                pytest.fail(
                    f"`{hook}` returned a {type(part).__name__}, but the model does not declare {capability.value!r}"
                )

    def test_vocabulary_sizes_agree(self, parts: Parts) -> None:
        """Proves that tokenizer and facts speak of one vocabulary. Look at both `vocabulary_size`."""
        assert parts.tokenizer.vocabulary_size == parts.model.facts.vocabulary_size
        assert all(0 <= token < parts.tokenizer.vocabulary_size for token in parts.tokenizer.end_tokens)

    def test_logits_are_one_float32_for_each_token(self, parts: Parts) -> None:
        """Proves shape and type of logits. If it fails, look at `Decoder.feed` or `BatchDecoder.logits`.

        An `Engine` shows none, and has nothing to prove here.
        """
        logits = _logits(parts.generator, _prompt(parts))
        if logits is None:
            return
        assert isinstance(logits, np.ndarray), f"logits are a NumPy array, not {type(logits).__name__}"
        assert logits.dtype == np.dtype(np.float32)
        assert logits.shape == (parts.tokenizer.vocabulary_size,)
        assert not np.isnan(logits).any()

    def test_trimmed_tokens_are_forgotten(self, parts: Parts) -> None:
        """Proves that after `trim` the same tokens give the same logits. Return False where `trim` cannot be done."""
        prompt = _prompt(parts)
        before = _logits(parts.generator, prompt)
        if before is None:
            return
        token = int(np.argmax(before))
        expected = _next_logits(parts.generator, token, len(prompt))
        if _trim(parts.generator, len(prompt)):
            again = _next_logits(parts.generator, token, len(prompt))
            assert np.allclose(expected, again, rtol=0.05, atol=0.05 * float(np.abs(expected).max()))


def _prompt(parts: Parts) -> list[int]:
    return list(parts.tokenizer.encode(PROMPT, add_special=True, parse_special=True))


def _logits(generator: Generator | None, prompt: Sequence[int]) -> Logits | None:
    """The logits after a prompt alone; None if the generator shows none."""
    if isinstance(generator, Decoder):
        generator.reset()
        return generator.feed(prompt)
    if isinstance(generator, BatchDecoder):
        assert generator.trim(0, 0)
        return _decode(generator, prompt, 0)
    return None


def _next_logits(generator: Generator | None, token: int, position: int) -> Logits:
    """A copy of the logits after one more token."""
    if isinstance(generator, Decoder):
        return generator.feed([token]).copy()
    assert isinstance(generator, BatchDecoder)
    return _decode(generator, [token], position).copy()


def _decode(generator: BatchDecoder, tokens: Sequence[int], position: int) -> Logits:
    batch = Batch(generator.limits.batch_tokens)
    row = batch.add(0, tokens, position, output=True)
    generator.decode(batch)
    return generator.logits(row)


def _trim(generator: Generator | None, length: int) -> bool:
    if isinstance(generator, Decoder):
        return generator.trim(length)
    return isinstance(generator, BatchDecoder) and generator.trim(0, length)
