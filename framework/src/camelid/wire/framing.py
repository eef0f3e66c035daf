"""Frames: four bytes of little-endian length, then one msgpack message."""

from typing import Final

import msgspec

from camelid.errors import ProtocolError
from camelid.wire.messages import MAX_FRAME_BYTES, FromWorker, ToWorker

__all__ = ("FrameReader", "decode_from_worker", "decode_to_worker", "encode", "with_length")

LENGTH_BYTES: Final = 4

_encoder = msgspec.msgpack.Encoder()
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no message: wrong shape, wrong text, nested too deep."""
encode = _encoder.encode
"""A message as the body of a frame."""


def with_length(frame: bytes) -> bytes:
    """The frame as it goes over the pipe.

    Raises:
        ProtocolError: it is too long.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise ProtocolError("the request is too large for the model's worker", reason=f"{len(frame)} bytes in a frame")
    return len(frame).to_bytes(LENGTH_BYTES, "little") + frame


def decode_to_worker(frame: bytes) -> ToWorker:
    """Read a frame that the server sent.

    Raises:
        ProtocolError: it is no message.
    """
    try:
        return _to_worker.decode(frame)
    except _UNREADABLE as error:
        raise ProtocolError("the server sent a frame that the worker cannot read", reason=str(error)) from error


def decode_from_worker(frame: bytes) -> FromWorker:
    """Read a frame that a worker sent.

    Raises:
        ProtocolError: it is no message.
    """
    try:
        return _from_worker.decode(frame)
    except _UNREADABLE as error:
        raise ProtocolError("the worker sent a frame that the server cannot read", reason=str(error)) from error


class FrameReader:
    """Cuts a stream of bytes into frames, however the pipe chops them."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes; take out the frames that are complete now.

        Raises:
            ProtocolError: a length is beyond `MAX_FRAME_BYTES`.
        """
        buffer = self._buffer
        buffer += data
        frames: list[bytes] = []
        start = 0
        while len(buffer) - start >= LENGTH_BYTES:
            length = int.from_bytes(buffer[start : start + LENGTH_BYTES], "little")
            if length > MAX_FRAME_BYTES:
                raise ProtocolError("the model's worker sent nonsense", reason=f"a frame of {length} bytes")
            stop = start + LENGTH_BYTES + length
            if len(buffer) < stop:
                break
            frames.append(bytes(buffer[start + LENGTH_BYTES : stop]))
            start = stop
        del buffer[:start]
        return frames
