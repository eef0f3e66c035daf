"""Any generator as an engine."""

from typing import Final

from camelid.contracts.engine import Engine
from camelid.contracts.generation import BatchDecoder, Generator
from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.archive import PrefixArchive
from camelid.decoding.scheduler import Scheduler
from camelid.decoding.single import SingleSequence
from camelid.types.capabilities import Capability

__all__ = ("LIFTED", "lift")

LIFTED: Final = frozenset({Capability.CONSTRAINTS, Capability.SCORING})
"""What a generator of the first two tiers can do by being lifted."""


def lift(
    generator: Generator, tokenizer: Tokenizer, *, draft_tokens: int = -1, archive: PrefixArchive | None = None
) -> Engine:
    """Bring a generator to the third tier; an engine is one already. Closing the engine closes the generator.

    Args:
        generator: of any tier.
        tokenizer: of the same model.
        draft_tokens: as in `LoadOptions`.
        archive: for prefixes that leave the KV cache; None unless the generator can save and restore.
    """
    if isinstance(generator, Engine):
        return generator
    if not isinstance(generator, BatchDecoder):
        # It gives logits after the last token only, so no guess can be verified.
        return Scheduler(SingleSequence(generator), tokenizer, draft_tokens=0)
    return Scheduler(generator, tokenizer, draft_tokens=draft_tokens, archive=archive)
