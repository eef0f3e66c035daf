"""Rotary positions: what configurations say about them, old and new, and what llama.cpp calls it."""

import math

from camelid.errors import InvalidModelFileError, UnsupportedCapabilityError
from camelid_gguf.architectures.base import Metadata
from camelid_gguf.documents import Document

__all__ = ("rope_frequencies", "rope_metadata", "rope_of")

LLAMA3 = "llama3"
PLAIN = frozenset({"", "default", "dynamic", LLAMA3})
"""What needs no metadata: nothing, what only differs beyond the trained context, and what is a tensor."""


def rope_of(config: Document, layers: str = "full_attention") -> Document:
    """The parameters for one kind of layers, with `rope_theta` and `rope_type` among them where known.

    Newer files have them all in `rope_parameters`, perhaps by kind of layer; older ones have some in `rope_scaling`.
    """
    named = config.section("rope_parameters")
    if not named.values:
        named = config.section("rope_scaling")
    if isinstance(named.values.get(layers), dict):
        named = named.section(layers)
    top = {key: config.values.get(key) for key in ("rope_theta", "partial_rotary_factor")}
    kind = named.text("rope_type") or named.text("type")
    return Document(named.name, {**named.values, "rope_type": kind}).over(Document(named.name, top))


def rope_metadata(out: Metadata, config: Document, rope: Document) -> None:
    """Put base and scaling.

    Raises:
        UnsupportedCapabilityError: llama.cpp has no such scaling.
    """
    out.put("{}.rope.freq_base", rope.number("rope_theta", 10000.0))
    kind = rope.text("rope_type")
    if kind in PLAIN:
        return
    if kind not in {"linear", "yarn"}:
        raise UnsupportedCapabilityError(
            f'unsupported rope scaling "{kind[:40]}"', reason=f"{config.name}: {rope.name}"
        )
    factor = rope.number("factor")
    if factor < 1:
        raise InvalidModelFileError(f"{rope.name}: a factor of {factor} is below 1")
    out.put("{}.rope.scaling.type", kind)
    out.put("{}.rope.scaling.factor", factor)
    if kind == "linear":
        return
    out.put("{}.rope.scaling.original_context_length", original_context(config, rope))
    out.put("{}.rope.scaling.yarn_beta_fast", rope.number("beta_fast", 32.0))
    out.put("{}.rope.scaling.yarn_beta_slow", rope.number("beta_slow", 1.0))
    # llama.cpp multiplies by YaRN's usual attention factor itself; this is what is missing from the model's own.
    missing = _attention_factor(rope, factor) / _scale(factor, 1.0)
    if not math.isclose(missing, 1.0, rel_tol=1e-6):
        out.put("{}.rope.scaling.attn_factor", missing)


def rope_frequencies(rope: Document, width: int) -> list[float]:
    """Llama 3's scaling, as divisors of the `width` / 2 frequencies of a head; empty for other kinds.

    Raises:
        InvalidModelFileError: its parameters contradict each other.
    """
    if rope.text("rope_type") != LLAMA3:
        return []
    base, factor = rope.number("rope_theta", 10000.0), rope.number("factor", 8.0)
    low, high = rope.number("low_freq_factor", 1.0), rope.number("high_freq_factor", 4.0)
    trained = rope.count("original_max_position_embeddings", 8192)
    if not (0 < low < high and base > 0 and factor > 0):
        raise InvalidModelFileError(f"{rope.name}: impossible factors")
    divisors = []
    for index in range(0, width, 2):
        waves = trained / (2 * math.pi * base ** (index / width))
        smooth = min(1.0, max(0.0, (waves - low) / (high - low)))
        divisors.append(1.0 / ((1.0 - smooth) / factor + smooth))
    return divisors


def original_context(config: Document, rope: Document) -> int:
    """Tokens of context before the scaling."""
    most = config.count("max_position_embeddings", 0, least=0)
    top = config.count("original_max_position_embeddings", most, least=0)
    return rope.count("original_max_position_embeddings", top or most)


def _attention_factor(rope: Document, factor: float) -> float:
    if "attention_factor" in rope:
        return rope.number("attention_factor")
    scale, every = rope.number("mscale", 0.0), rope.number("mscale_all_dim", 0.0)
    if scale and every:
        return _scale(factor, scale) / _scale(factor, every)
    return _scale(factor, 1.0)


def _scale(factor: float, weight: float) -> float:
    return 0.1 * weight * math.log(factor) + 1.0
