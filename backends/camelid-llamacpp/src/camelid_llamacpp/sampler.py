"""Sampling with llama.cpp's samplers, in Ollama's order (contract 3.1)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from camelid import Sampler
from camelid.types.options import SamplingOptions
from camelid_llamacpp.candidates import Candidates
from camelid_llamacpp.native import llama_cpp
from camelid_llamacpp.penalties import Penalties

__all__ = ("LlamaSampler",)

_RANDOM_SEED = 0xFFFFFFFF
"""llama.cpp takes this seed as a wish for a random one."""


class LlamaSampler(Sampler):
    """Penalties, top-k, typical, top-p, min-p, temperature, then the draw; at temperature 0 the most likely token."""

    def __init__(
        self,
        context: int,
        logits: Callable[[int], npt.NDArray[np.float32]],
        options: SamplingOptions,
        seed: int,
        *,
        penalties: Penalties,
        candidates: Candidates,
    ) -> None:
        """Build the chain.

        Args:
            context: handle of the context that decodes.
            logits: gives the logits of a row, as a view that may be written to.
            options: the request's.
            seed: 32 bits.
            penalties: with the prompt in them.
            candidates: for its vocabulary; other samplers may use them too.
        """
        self._context = context
        self._logits = logits
        self._penalties = penalties
        self._candidates = candidates
        self._top_k = options.top_k if candidates.suit(options.top_k) else 0
        self._chain: int | None = None if options.temperature <= 0 else _chain(options, seed)

    def sample(self, row: int) -> int:
        """Choose from an output row of the last batch. The row's logits are afterwards what they were before."""
        logits = self._logits(row)
        if not self._penalties.active:
            return self._choose(logits, row)
        values = logits.data.cast("B").cast("f")
        kept = self._penalties.apply(values)
        token = self._choose(logits, row)
        for penalised, logit in kept:
            values[penalised] = logit
        self._penalties.accept(token)
        return token

    def _choose(self, logits: npt.NDArray[np.float32], row: int) -> int:
        if self._chain is None:
            return int(logits.argmax())
        chosen = self._candidates.choose(self._chain, logits, self._top_k) if self._top_k else None
        if chosen is not None:
            return chosen
        token: int = llama_cpp.llama_sampler_sample(self._chain, self._context, row)
        return token

    def close(self) -> None:
        """Free the chain, once."""
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None


def _chain(options: SamplingOptions, seed: int) -> int:
    """The samplers that have something to do; top-k first, so that the others see few candidates."""
    chain: int = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
    steps: list[int] = []
    if options.top_k > 0:
        steps.append(llama_cpp.llama_sampler_init_top_k(options.top_k))
    if options.typical_p < 1:
        steps.append(llama_cpp.llama_sampler_init_typical(options.typical_p, 1))
    if options.top_p < 1:
        steps.append(llama_cpp.llama_sampler_init_top_p(options.top_p, 1))
    if options.min_p > 0:
        steps.append(llama_cpp.llama_sampler_init_min_p(options.min_p, 1))
    steps.append(llama_cpp.llama_sampler_init_temp(options.temperature))
    own_seed = seed & 0xFFFFFFFF
    steps.append(llama_cpp.llama_sampler_init_dist(own_seed if own_seed != _RANDOM_SEED else _RANDOM_SEED - 1))
    for step in steps:
        llama_cpp.llama_sampler_chain_add(chain, step)
    return chain
