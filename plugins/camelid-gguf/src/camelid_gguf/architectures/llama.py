"""Llama 1 to 3 and its many relatives."""

from camelid_gguf.architectures.decoder import Decoder

__all__ = ("Llama",)


class Llama(Decoder):
    """llama.cpp's own layout: rotary pairs."""

    names = ("LlamaForCausalLM", "LlamaModel")
    gguf = "llama"
    example = "Llama 2, 3, 3.1, 3.2; SmolLM2; TinyLlama; DeepSeek-R1-Distill-Llama"
    pairs = True
