"""A transformer of the Llama family: arithmetic on arrays, and nothing else. Begin with `Transformer.logits`.

Of shapes: n tokens come in, m are known with them; the state of a token has w numbers; h heads of d numbers each ask,
and every h / g of them share one of g heads that are asked. Weights have the shape (out, in). All numbers are float32.
"""

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ("Array", "Layer", "Transformer")

Array: TypeAlias = npt.NDArray[np.float32]


class Layer(NamedTuple):
    """The weights of one layer, by their names in GGUF files."""

    attn_norm: Array
    attn_q: Array
    attn_k: Array
    attn_v: Array
    attn_output: Array
    ffn_norm: Array
    ffn_gate: Array
    ffn_up: Array
    ffn_down: Array


class Transformer(NamedTuple):
    """The whole model."""

    layers: list[Layer]
    embedding: Array
    """(vocabulary, w): the state that each token begins with."""
    norm: Array
    head: Array
    """(vocabulary, w): how much a state means each token; often the embedding again."""
    turns: npt.NDArray[np.float64]
    """(d / 2,): by what angles RoPE turns a head from one position to the next."""
    epsilon: float

    def empty_cache(self, context_length: int) -> Array:
        """A KV cache, (layers, 2, g, context, d): what each token answers to those that will ask, as key and value."""
        width = 2 * len(self.turns)
        return np.zeros((len(self.layers), 2, len(self.layers[0].attn_k) // width, context_length, width), np.float32)

    def logits(self, tokens: list[int], start: int, cache: Array) -> Array:
        """What follows the last of some tokens, the first of which is number `start` of its text; fills the cache."""
        rotation = np.exp(1j * np.outer(range(start, start + len(tokens)), self.turns)).astype(np.complex64)
        state = self.embedding[tokens]
        for layer, layer_cache in zip(self.layers, cache, strict=True):
            state = state + _attend(layer, self._norm(state, layer.attn_norm), rotation, start, layer_cache)
            state = state + _feed_forward(layer, self._norm(state, layer.ffn_norm))
        return self.head @ self._norm(state[-1], self.norm)

    def _norm(self, state: Array, weight: Array) -> Array:
        """RMSNorm: every state as long as the others, then each of its numbers as important as was learnt."""
        return state / np.sqrt(np.mean(state * state, axis=-1, keepdims=True) + np.float32(self.epsilon)) * weight


def _attend(layer: Layer, state: Array, rotation: npt.NDArray[np.complex64], start: int, cache: Array) -> Array:
    """Let each token look at itself and those before it, of which `start` are in the cache already."""
    (keys, values), count, width = cache, len(state), cache.shape[-1]
    stop = start + count
    keys[:, start:stop] = _rotate(_heads(state @ layer.attn_k.T, width), rotation)
    values[:, start:stop] = _heads(state @ layer.attn_v.T, width)
    # (g, h / g, n, d): the heads that share a key stand together.
    queries = _rotate(_heads(state @ layer.attn_q.T, width), rotation).reshape(len(keys), -1, count, width)
    scores = queries @ keys[:, None, :stop].swapaxes(2, 3) * np.float32(width**-0.5)  # (g, h / g, n, m)
    scores += np.triu(np.full((count, stop), -np.inf, np.float32), start + 1)  # nobody looks ahead
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))  # softmax
    shares /= shares.sum(axis=-1, keepdims=True)
    seen = (shares @ values[:, None, :stop]).reshape(-1, count, width)
    return seen.swapaxes(0, 1).reshape(count, -1) @ layer.attn_output.T


def _heads(rows: Array, width: int) -> Array:
    """(n, heads * d) as (heads, n, d)."""
    return np.ascontiguousarray(rows.reshape(len(rows), -1, width).swapaxes(0, 1))


def _rotate(heads: Array, rotation: npt.NDArray[np.complex64]) -> Array:
    """RoPE: two neighbours are a complex number, turned by its position; so queries know how far away a key is."""
    return (heads.view(np.complex64) * rotation).view(np.float32)


def _feed_forward(layer: Layer, state: Array) -> Array:
    """SwiGLU: what the gate lets through of each hidden number. Here, x * sigmoid(x) is written without `exp`."""
    gate = state @ layer.ffn_gate.T
    return (gate * (np.tanh(gate / 2) + 1) / 2 * (state @ layer.ffn_up.T)) @ layer.ffn_down.T
