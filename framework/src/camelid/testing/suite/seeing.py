"""Pictures."""

import math
import struct
import zlib
from typing import Final

from camelid.errors import RequestError
from camelid.testing.host import Answer, Host
from camelid.testing.outcomes import check, expect_error, needs
from camelid.testing.suite.generating import PROMPT, check_sound, greedy
from camelid.types.capabilities import Capability
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Submit

__all__ = ("SeeingCases", "png")

_MARKER: Final = "<the picture>"
_SIDE: Final = 32


def png(*colors: tuple[int, int, int]) -> bytes:
    """A square picture with a stripe for each color (red, green, blue), as a PNG file."""
    rows = (bytes([0]) + bytes(colors[row * len(colors) // _SIDE]) * _SIDE for row in range(_SIDE))
    header = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


_SUNSET: Final = png((250, 200, 40), (230, 60, 30), (40, 20, 60))
_MEADOW: Final = png((120, 180, 250), (40, 160, 50), (30, 120, 40))


def _shown(host: Host, *pictures: bytes) -> Submit:
    """A request about pictures."""
    prompt = f"{_MARKER}\n" * len(pictures) + PROMPT
    logprobs = Capability.LOGPROBS in host.facts.capabilities
    sampling = SamplingOptions(temperature=0.0, num_predict=24)
    return Submit(id=0, prompt=prompt, sampling=sampling, logprobs=logprobs, media=pictures, media_marker=_MARKER)


def _same(one: Answer, other: Answer) -> bool:
    """Whether two answers may come from the same prompt: as probable where the backend tells, else the same words.

    Only the first token is compared: what another batch rounds otherwise may tip the choice of a later one.
    """
    if one.logprobs:
        return math.isclose(one.logprobs[0].logprob, other.logprobs[0].logprob, rel_tol=0, abs_tol=0.02)
    return one.text == other.text


def _other(one: Answer, other: Answer) -> bool:
    """Whether two answers come from prompts that are not the same."""
    return one.text != other.text or not _same(one, other)


class SeeingCases:
    """See."""

    @needs(Capability.VISION)
    def test_what_is_on_a_picture_decides_the_answer(self, seer: Host) -> None:
        """Proves that pictures are computed. If it fails, look at `MediaTokenizer.tokenize` and `decode_media`."""
        answer = seer.answer(_shown(seer, _SUNSET))
        check_sound(answer.deltas)
        other = seer.answer(_shown(seer, _MEADOW))
        check(_other(answer, other), f"another answer about another picture than {answer.text!r}", other.text)

    @needs(Capability.VISION)
    def test_the_same_picture_is_the_same_prompt(self, seer: Host) -> None:
        """Proves that a cached picture is as good as a computed one. If it fails, look at `digest` and positions."""
        first = seer.answer(_shown(seer, _SUNSET))
        seer.answer(_shown(seer, _SUNSET, _MEADOW))
        again = seer.answer(_shown(seer, _SUNSET))
        check(_same(first, again), f"{first.text!r} again, as likely as before", again.text)

    @needs(Capability.VISION)
    def test_pictures_stand_in_order(self, seer: Host) -> None:
        """Proves that each picture is where the prompt has it. If it fails, look at the order of parts."""
        one_way, other_way = seer.answers([_shown(seer, _SUNSET, _MEADOW), _shown(seer, _MEADOW, _SUNSET)])
        check(_other(one_way, other_way), "another answer with the pictures the other way round", other_way.text)

    @needs(Capability.VISION)
    def test_requests_with_and_without_pictures_run_together(self, seer: Host) -> None:
        """Proves that sequences stay apart. If it fails, look at what `decode_media` does to others' positions."""
        alone = [seer.answer(_shown(seer, *pictures)) for pictures in ((), (_SUNSET,), (_MEADOW,))]
        together = seer.answers([_shown(seer, *pictures) for pictures in ((), (_SUNSET,), (_MEADOW,))])
        for one, other in zip(alone, together, strict=True):
            check(_same(one, other), f"{one.text!r}, as without the others", other.text)

    @needs(Capability.VISION)
    def test_what_is_no_picture_is_refused(self, seer: Host) -> None:
        """Proves that another kind of file is the client's error, and that others go on."""
        for file in (b"", b"not a picture"):
            expect_error(RequestError, seer.answer, _shown(seer, file))
        text = seer.answer(greedy(PROMPT)).text
        check(bool(text), "an answer to the next request", text)
