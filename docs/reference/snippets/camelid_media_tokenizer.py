"""Pictures in prompts: each takes the place of one token, and is known by the digest of its file."""

from collections.abc import Sequence
from hashlib import sha256

from camelid import Media, MediaTokenizer, Tokenizer, hookimpl
from camelid.contracts.media import PromptPart
from camelid.errors import RequestError

CAMELID_API = 1


class Picture(Media):
    def __init__(self, file: bytes) -> None:
        self.file = file

    @property
    def length(self) -> int:
        return 1

    @property
    def digest(self) -> bytes:
        return sha256(self.file).digest()


class PictureTokenizer(MediaTokenizer):
    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def tokenize(self, parts: Sequence[str | bytes], *, add_special: bool) -> list[PromptPart]:
        return [self._text(part) if isinstance(part, str) else self._picture(part) for part in parts]

    def _text(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special=False, parse_special=True)

    def _picture(self, file: bytes) -> Picture:
        """A file is what a client sent: check it before a library sees it."""
        if not file.startswith(b"\x89PNG\r\n\x1a\n"):
            raise RequestError("this model takes PNG pictures only")
        return Picture(file)


@hookimpl
def camelid_media_tokenizer(tokenizer: Tokenizer) -> MediaTokenizer | None:
    """What it returns comes to `BatchDecoder.decode_media`, or to an `Engine` with its request."""
    return PictureTokenizer(tokenizer)
