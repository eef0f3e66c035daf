"""What a GGUF file says, as values and as arrays of float32."""

from typing import TypeVar

import gguf
import numpy as np

from camelid_numpy.transformer import Array, Layer, Transformer

__all__ = ("GGUFFile",)

_T = TypeVar("_T", int, float, str)


class GGUFFile:
    """A file that is believed: what is wrong with it raises whatever comes of that."""

    def __init__(self, path: str) -> None:
        reader = gguf.GGUFReader(path)
        self.fields = reader.fields
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        self.parameter_count = sum(int(tensor.n_elements) for tensor in reader.tensors)

    def value(self, key: str, default: _T) -> _T:
        """A value, of the type of its default."""
        return type(default)(self.fields[key].contents()) if key in self.fields else default

    def transformer(self) -> Transformer:
        """The model that the tensors are the weights of. ValueError if there is more to it than is computed here."""
        if self.value("general.architecture", "") != "llama" or "llama.rope.scaling.type" in self.fields:
            raise ValueError("this is another architecture, or its positions are scaled")
        width, heads = self.value("llama.embedding_length", 0), self.value("llama.attention.head_count", 0)
        head_width = self.value("llama.attention.key_length", width // heads)
        asking, asked = heads * head_width, self.value("llama.attention.head_count_kv", heads) * head_width
        hidden = self.value("llama.feed_forward_length", 0)
        attention = (width,), (asking, width), (asked, width), (asked, width), (width, asking)
        feed_forward = (width,), (hidden, width), (hidden, width), (width, hidden)
        shapes = dict(zip(Layer._fields, (*attention, *feed_forward), strict=True))
        embedding = self._tensor("token_embd", (len(self.fields["tokenizer.ggml.tokens"].data), width))
        slowed = self._tensor("rope_freqs", (head_width // 2,), np.ones(head_width // 2, np.float32))
        transformer = Transformer(
            layers=[
                Layer(**{name: self._tensor(f"blk.{place}.{name}", shape) for name, shape in shapes.items()})
                for place in range(self.value("llama.block_count", 0))
            ],
            embedding=embedding,
            norm=self._tensor("output_norm", (width,)),
            head=self._tensor("output", embedding.shape, embedding),
            turns=self.value("llama.rope.freq_base", 10_000.0) ** (-np.arange(0, head_width, 2) / head_width) / slowed,
            epsilon=self.value("llama.attention.layer_norm_rms_epsilon", 1e-5),
        )
        if self._tensors:
            raise ValueError(f"nothing is computed with {', '.join(self._tensors)}")
        return transformer

    def _tensor(self, name: str, shape: tuple[int, ...], default: Array | None = None) -> Array:
        """A tensor, whatever it is quantized to; the default if there is none. ValueError if it has another shape."""
        if default is not None and f"{name}.weight" not in self._tensors:
            return default
        found = self._tensors.pop(f"{name}.weight")
        numbers: Array = gguf.quants.dequantize(found.data, found.tensor_type)
        if numbers.shape != shape or not np.isfinite(numbers).all():
            raise ValueError(f"{name} has the shape {numbers.shape} where {shape} is wanted, or no numbers")
        return numbers
