"""Sound files of strangers: what is checked before libmtmd decodes them, as it believes whatever they say."""

from camelid.errors import RequestError

__all__ = ("ACCEPTED_SOUNDS", "check_sound", "is_sound")

ACCEPTED_SOUNDS = "WAV and MP3 files"

_LONGEST = 3600
"""Seconds; an hour takes 230 MB when it is decoded."""
_SLOWEST = 4000
"""Samples in a second; with fewer, a small file would grow a thousandfold."""
_MOST_MP3_BYTES = 16 * 2**20
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


def is_sound(data: bytes) -> bool:
    """Whether a file begins as WAV or MP3 files do (contract 3.5)."""
    return _is_wav(data) or data.startswith(b"ID3") or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0)


def check_sound(data: bytes) -> None:
    """Refuse what would take too much memory when it is decoded.

    Raises:
        RequestError: the file is too long, or a WAV file that is damaged.
    """
    if _is_wav(data):
        _check_wav(data)
    elif len(data) > _MOST_MP3_BYTES:
        raise RequestError(f"a sound has more than {_MOST_MP3_BYTES // 2**20} MiB; send a shorter one")


def _is_wav(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WAVE"


def _check_wav(data: bytes) -> None:
    """Walk through the chunks of the file, and compare what they say with what is there."""
    position, rate, frame = 12, 0, 0
    while position + 8 <= len(data):
        name, size = data[position : position + 4], int.from_bytes(data[position + 4 : position + 8], "little")
        body = data[position + 8 : position + 8 + min(size, 16)]
        if name == b"fmt " and len(body) == 16:
            encoding = int.from_bytes(body[0:2], "little")
            rate, frame = int.from_bytes(body[4:8], "little"), int.from_bytes(body[12:14], "little")
            if encoding not in (_PCM, _FLOAT, _EXTENSIBLE):
                break
        elif name == b"data":
            if rate < _SLOWEST or not frame or position + 8 + size > len(data):
                break
            if size > _LONGEST * rate * frame:
                raise RequestError(f"a sound is longer than {_LONGEST} seconds; send a shorter one")
            return
        position += 8 + size + size % 2
    raise RequestError("a WAV file is damaged, incomplete, or compressed; send it as plain PCM")
