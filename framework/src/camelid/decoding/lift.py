"""Any generator as an engine."""

from typing import Final

from camelid.contracts.engine import Engine
from camelid.contracts.generation import BatchDecoder, Generator
from camelid.contracts.tokenizer import Tokenizer
from camelid.decoding.scheduler import Scheduler
from camelid.decoding.single import SingleSequence
from camelid.types.capabilities import Capability

__all__ = ("LIFTED", "lift")

LIFTED: Final = frozenset({Capability.CONSTRAINTS})
"""What a generator of the first two tiers can do by being lifted."""


def lift(generator: Generator, tokenizer: Tokenizer) -> Engine:
    """Bring a generator to the third tier; an engine is one already. Closing the engine closes the generator."""
    if isinstance(generator, Engine):
        return generator
    decoder = generator if isinstance(generator, BatchDecoder) else SingleSequence(generator)
    return Scheduler(decoder, tokenizer)
