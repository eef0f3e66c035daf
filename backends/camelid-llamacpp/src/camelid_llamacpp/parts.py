"""A prompt of text, pictures and sounds in libmtmd's memory, and the pieces that it is cut into."""

import ctypes
from types import ModuleType, TracebackType
from typing import Self

from camelid.errors import RequestError
from camelid_llamacpp.logs import NATIVE_LOG
from camelid_llamacpp.pictures import Picture

__all__ = ("Parts",)

_SHORTEST_SOUND = 160 * 4
"""Bytes; libmtmd would end the process because of one that has next to nothing in it."""


class Parts:
    """Owns the bitmaps of a prompt and the chunks made of it, for the length of a `with` statement."""

    def __init__(self, mtmd: ModuleType, projector: int) -> None:
        """Begin an empty prompt.

        Args:
            mtmd: the binding.
            projector: handle of the `mtmd_context`.
        """
        self._mtmd = mtmd
        self._projector = projector
        self._texts: list[object] = []
        self._bitmaps: list[int] = []
        self._parts: list[ctypes.Structure] = []
        self._chunks: int = mtmd.mtmd_input_chunks_init()

    def add_text(self, text: bytes) -> None:
        """Append text, in which control tokens are read as such."""
        part = self._mtmd.mtmd_input_text(text=text, text_len=len(text), add_special=False, parse_special=True)
        self._texts.append(part)
        self._parts.append(self._mtmd.mtmd_input_part(text=ctypes.pointer(part), bitmap=None))

    def add_picture(self, picture: Picture) -> None:
        """Append a picture."""
        pixels = ctypes.cast(ctypes.c_char_p(picture.rgb), ctypes.POINTER(ctypes.c_uint8))
        self._add_bitmap(self._mtmd.mtmd_bitmap_init(picture.width, picture.height, pixels))

    def add_blank(self, width: int, height: int) -> None:
        """Append a picture that is only to be counted."""
        self._add_bitmap(self._mtmd.mtmd_bitmap_init(width, height, None))

    def add_sound(self, file: bytes) -> None:
        """Append a sound, given its file.

        Raises:
            RequestError: it cannot be decoded.
        """
        mtmd = self._mtmd
        data = ctypes.cast(ctypes.c_char_p(file), ctypes.POINTER(ctypes.c_uint8))
        NATIVE_LOG.take_complaints()
        bitmap = mtmd.mtmd_helper_bitmap_init_from_buf(self._projector, data, len(file), False)
        if not bitmap:
            raise RequestError("a sound cannot be read: it is damaged", reason=NATIVE_LOG.take_complaints())
        self._add_bitmap(bitmap)
        if mtmd.mtmd_bitmap_get_n_bytes(bitmap) < _SHORTEST_SOUND:
            raise RequestError("a sound is too short; send at least a hundredth of a second")

    def _add_bitmap(self, bitmap: int) -> None:
        self._bitmaps.append(bitmap)
        self._mtmd.mtmd_bitmap_set_id(bitmap, str(len(self._parts)).encode())
        self._parts.append(self._mtmd.mtmd_input_part(text=None, bitmap=bitmap))

    def cut(self, *, add_special: bool) -> list[int]:
        """Handles of the chunks, in order, valid until the `with` statement ends.

        Args:
            add_special: put the model's begin token in front, if it wants one.

        Raises:
            RequestError: a picture or a sound cannot be prepared.
        """
        mtmd = self._mtmd
        pointers = (ctypes.POINTER(mtmd.mtmd_input_part) * len(self._parts))(*map(ctypes.pointer, self._parts))
        NATIVE_LOG.take_complaints()
        status: int = mtmd.mtmd_tokenize_from_parts(
            self._projector, self._chunks, pointers, len(self._parts), add_special
        )
        if status != 0:
            raise RequestError(
                "a picture or a sound cannot be prepared for this model; it may be too narrow or too short",
                reason=f"status {status}: {NATIVE_LOG.take_complaints()}",
            )
        return [mtmd.mtmd_input_chunks_get(self._chunks, index) for index in range(self._count())]

    def _count(self) -> int:
        count: int = self._mtmd.mtmd_input_chunks_size(self._chunks)
        return count

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._mtmd.mtmd_input_chunks_free(self._chunks)
        for bitmap in self._bitmaps:
            self._mtmd.mtmd_bitmap_free(bitmap)
        self._bitmaps.clear()
