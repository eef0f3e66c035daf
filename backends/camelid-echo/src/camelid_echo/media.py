"""Pictures for a model that sees no more of them than which file they are."""

from collections.abc import Sequence
from hashlib import sha256

from camelid import Media, MediaTokenizer
from camelid.contracts.media import PromptPart
from camelid.errors import RequestError
from camelid_echo.backend import ANSWER, EchoTokenizer

__all__ = ("EchoMediaTokenizer", "EchoPicture")

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")


class EchoPicture(Media):
    """A picture as the words that the model has for it: `[picture 1a2b3c4d]`."""

    def __init__(self, file: bytes) -> None:
        self._digest = sha256(file).digest()
        self.tokens = tuple(f"[picture {self._digest.hex()[:8]}]".encode())

    @property
    def length(self) -> int:
        """One for each letter."""
        return len(self.tokens)

    @property
    def digest(self) -> bytes:
        """Of the file."""
        return self._digest


class EchoMediaTokenizer(MediaTokenizer):
    """Knows a PNG or a JPEG file by its first bytes."""

    def tokenize(self, parts: Sequence[str | bytes], *, add_special: bool) -> list[PromptPart]:
        """Each text tokenized as ever, each file a picture."""
        tokenizer = EchoTokenizer()
        found: list[PromptPart] = [tokenizer.encode("<|begin|>", add_special=False, parse_special=True)]
        if not add_special:
            found.clear()
        for part in parts:
            if isinstance(part, str):
                found.append(tokenizer.encode(part, add_special=False, parse_special=True))
            elif part.startswith(_SIGNATURES):
                found.append(EchoPicture(part))
            else:
                raise RequestError("the echo model takes PNG and JPEG files only")
        last = found[-1] if found else ()
        if add_special and (isinstance(last, Media) or tuple(last[-1:]) != (ANSWER,)):
            found.append((ANSWER,))
        return found
