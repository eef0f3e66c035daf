"""What a template gives."""

import msgspec

__all__ = ("RenderedPrompt",)


class RenderedPrompt(msgspec.Struct, frozen=True):
    """Text for the tokenizer, which must read control tokens in it as such."""

    text: str
    add_special: bool = True
    """Whether the tokenizer should put the model's begin token in front: false if the text has it already."""
