"""How GGUF files are called by their quantization."""

import re
from typing import Final

import msgspec

__all__ = ("DEFAULT", "Quantization", "find_quantization")

DEFAULT: Final = "Q4_K_M"
"""What is taken where nobody asks for another."""

_LABEL: Final = re.compile(
    r"(?<![a-z0-9])(?P<dynamic>ud-)?"
    r"(?P<label>i?q(?P<bits>\d)(?:_(?:k|xxs|xs|s|m|l|xl|xxl|nl|\d))*"
    r"|tq(?P<ternary>\d)_\d|(?:mx|nv)fp(?P<float>\d)(?:_moe)?|(?:bf|fp?)(?P<wide>16|32))"
    r"(?![a-z0-9])",
    re.IGNORECASE,
)


class Quantization(msgspec.Struct, frozen=True):
    """What a name says of the numbers in a file."""

    label: str
    """In capitals: `Q4_K_M`, `IQ2_XXS`, `BF16`."""
    bits: int
    """Of one weight, roughly."""
    dynamic: bool = False
    """Whether the name says `UD-`: some tensors have other types."""

    def __str__(self) -> str:
        return f"UD-{self.label}" if self.dynamic else self.label


def find_quantization(name: str) -> Quantization | None:
    """The last one that a name, or a tag, speaks of; None if it speaks of none."""
    every = list(_LABEL.finditer(name))
    if not every:
        return None
    found = every[-1]
    bits = next(int(group) for group in found.group("bits", "ternary", "float", "wide") if group)
    label = found["label"].upper()
    if found["wide"] and label.startswith("FP"):
        label = f"F{bits}"
    return Quantization(label, bits, dynamic=found["dynamic"] is not None)
