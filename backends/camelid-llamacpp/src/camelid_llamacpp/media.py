"""Pictures and sounds in prompts, as libmtmd cuts them into pieces."""

import ctypes
import math
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from camelid import Media, MediaTokenizer
from camelid.contracts.media import PromptPart
from camelid.errors import ModelError, RequestError
from camelid_llamacpp.parts import Parts
from camelid_llamacpp.pictures import ACCEPTED_PICTURES, Picture, read_picture, scaled
from camelid_llamacpp.projector import Projector
from camelid_llamacpp.sounds import ACCEPTED_SOUNDS, check_sound, is_sound
from camelid_llamacpp.tokenizer import utf8

__all__ = ("LlamaMedia", "LlamaMediaTokenizer")

_SMALLEST_SIDE = 64
"""Pixels; a picture is not made much smaller than that to fit."""
_SAFETY = 0.97
"""How much smaller than computed a picture is made, as sides are rounded to whole patches."""


class LlamaMedia(Media):
    """A picture, a part of one, or a piece of sound. Owns its chunk."""

    def __init__(self, projector: Projector, chunk: int, source: bytes) -> None:
        """Keep a copy of a chunk.

        Args:
            projector: the chunk's.
            chunk: handle of the chunk.
            source: digest of what it was made from, and of which piece it is.
        """
        mtmd = projector.mtmd
        self._mtmd = mtmd
        self._length = projector.tokens(chunk)
        self._digest = sha256(source + _places(projector, chunk)).digest()
        self.advance: int = mtmd.mtmd_input_chunk_get_n_pos(chunk)
        """Positions that it takes."""
        self.states: npt.NDArray[np.float32] | None = None
        """What the projector made of it, shape (length, width), once it was computed."""
        self._chunk: int | None = mtmd.mtmd_input_chunk_copy(chunk)

    @property
    def chunk(self) -> int:
        """Handle of its chunk.

        Raises:
            ModelError: it is closed.
        """
        if self._chunk is None:
            raise ModelError("a picture was to be computed after it was given back")
        return self._chunk

    @property
    def length(self) -> int:
        """Tokens that it stands for."""
        return self._length

    @property
    def digest(self) -> bytes:
        """Of its pixels or samples, which piece it is, and where its tokens lie beside each other."""
        return self._digest

    def close(self) -> None:
        """Free the chunk, once."""
        if self._chunk is not None:
            self._mtmd.mtmd_input_chunk_free(self._chunk)
            self._chunk = self.states = None


class LlamaMediaTokenizer(MediaTokenizer):
    """Cuts prompts into runs of tokens and pieces of media; valid while the model is loaded."""

    def __init__(self, projector: Projector, *, most_tokens: int, at_once: int | None) -> None:
        """Use a projector.

        Args:
            projector: of the model.
            most_tokens: a picture of more is made smaller, if that helps.
            at_once: tokens that a piece may have at most; None for models that compute pieces in parts.
        """
        self._projector = projector
        self._most_tokens = most_tokens
        self._at_once = at_once

    def tokenize(self, parts: Sequence[str | bytes], *, add_special: bool) -> list[PromptPart]:
        """Tokens and media, with the tokens that the model wants around media.

        Raises:
            RequestError: a file is no picture or sound that the model can take.
        """
        projector = self._projector
        digests: dict[bytes, bytes] = {}
        with Parts(projector.mtmd, projector.handle) as prompt:
            for index, part in enumerate(parts):
                if isinstance(part, str):
                    prompt.add_text(utf8(part))
                elif is_sound(part):
                    digests[str(index).encode()] = self._add_sound(prompt, part)
                else:
                    digests[str(index).encode()] = self._add_picture(prompt, part)
            return self._collect(prompt.cut(add_special=add_special), digests)

    def _add_sound(self, prompt: Parts, file: bytes) -> bytes:
        """Append a sound; its digest."""
        if not self._projector.hears:
            raise RequestError(f"this model cannot hear; send pictures: {ACCEPTED_PICTURES}")
        check_sound(file)
        prompt.add_sound(file)
        return sha256(file).digest()

    def _add_picture(self, prompt: Parts, file: bytes) -> bytes:
        """Append a picture; its digest."""
        if not self._projector.sees:
            raise RequestError(f"this model can only hear; send sounds: {ACCEPTED_SOUNDS}")
        picture = self._fitted(read_picture(file))
        prompt.add_picture(picture)
        return sha256(f"{picture.width}x{picture.height}:".encode() + picture.rgb).digest()

    def _fitted(self, picture: Picture) -> Picture:
        """The picture, smaller if it would take too much of the context and the model's pictures vary in size."""
        width, height = picture.width, picture.height
        tokens = sum(self._projector.count(width, height))
        # Again and again, as models make a huge picture smaller themselves: at first nothing changes.
        while tokens > self._most_tokens and min(width, height) >= _SMALLEST_SIDE:
            factor = _SAFETY * math.sqrt(self._most_tokens / tokens)
            width, height = max(1, int(width * factor)), max(1, int(height * factor))
            tokens = sum(self._projector.count(width, height))
        return scaled(picture, width, height) if tokens <= self._most_tokens and width < picture.width else picture

    def _collect(self, chunks: Sequence[int], digests: dict[bytes, bytes]) -> list[PromptPart]:
        """What the framework takes of the chunks; frees what was made of them if one is refused."""
        projector, mtmd = self._projector, self._projector.mtmd
        pieces: Counter[bytes] = Counter()
        found: list[PromptPart] = []
        try:
            for chunk in chunks:
                if not projector.is_media(chunk):
                    count = ctypes.c_size_t()
                    tokens = mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(count))
                    found.append(tuple(tokens[: count.value]))
                    continue
                part: bytes = mtmd.mtmd_input_chunk_get_id(chunk)
                found.append(LlamaMedia(projector, chunk, digests[part] + pieces[part].to_bytes(4)))
                pieces[part] += 1
                self._check(projector.tokens(chunk))
        except BaseException:
            for piece in found:
                if isinstance(piece, LlamaMedia):
                    piece.close()
            raise
        return found

    def _check(self, tokens: int) -> None:
        if not tokens:
            raise RequestError("a picture or a sound is too small for this model; send a larger one")
        if self._at_once is not None and tokens > self._at_once:
            raise RequestError(
                f"a picture becomes {tokens} tokens, but this model computes at most {self._at_once} at once; "
                "send a smaller one, or load the model with a larger num_batch"
            )


def _places(projector: Projector, chunk: int) -> bytes:
    """Where the tokens of a picture lie, which may depend on what comes before it; nothing for sounds."""
    mtmd = projector.mtmd
    image: int | None = mtmd.mtmd_input_chunk_get_tokens_image(chunk)
    if not image:
        return b""
    places = (mtmd.mtmd_decoder_pos * projector.tokens(chunk))()
    mtmd.mtmd_helper_image_get_decoder_pos(image, 0, places)
    return bytes(places)
