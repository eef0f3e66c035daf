"""Sounds."""

import io
import math
import struct
import wave
from typing import Final

from camelid.errors import RequestError, UnsupportedCapabilityError
from camelid.testing.host import Answer, Host
from camelid.testing.outcomes import check, expect_error, needs
from camelid.testing.suite.generating import PROMPT, check_sound, greedy
from camelid.types.capabilities import Capability
from camelid.types.options import SamplingOptions
from camelid.wire.messages import Submit

__all__ = ("HearingCases", "wav")

_MARKER: Final = "<the sound>"
_RATE: Final = 16000


def wav(*tones: float, seconds: float = 0.5) -> bytes:
    """Tones (hertz) one after another, as a WAV file of one channel."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(_RATE)
        for tone in tones:
            moments = range(int(_RATE * seconds))
            samples = (int(20000 * math.sin(2 * math.pi * tone * moment / _RATE)) for moment in moments)
            sound.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


_LOW: Final = wav(110, 165)
_HIGH: Final = wav(1760, 880)


def _played(host: Host, *sounds: bytes) -> Submit:
    """A request about sounds."""
    prompt = f"{_MARKER}\n" * len(sounds) + PROMPT
    logprobs = Capability.LOGPROBS in host.facts.capabilities
    sampling = SamplingOptions(temperature=0.0, num_predict=24)
    return Submit(id=0, prompt=prompt, sampling=sampling, logprobs=logprobs, media=sounds, media_marker=_MARKER)


def _said(answer: Answer) -> tuple[object, ...]:
    """What tells answers apart: the words, and how likely the first was, where the backend tells."""
    return (answer.text, *(round(entry.logprob, 2) for entry in answer.logprobs[:1]))


def _hear(host: Host, *sounds: bytes) -> Answer:
    """The answer about sounds. A model that only sees knows no sounds, and refuses them like any other file."""
    try:
        return host.answer(_played(host, *sounds))
    except RequestError as error:
        if Capability.AUDIO not in host.facts.capabilities:
            raise UnsupportedCapabilityError(error.message) from error
        raise


class HearingCases:
    """Hear."""

    @needs(Capability.AUDIO)
    def test_what_is_heard_decides_the_answer(self, hearer: Host) -> None:
        """Proves that sounds are computed. If it fails, look at `MediaTokenizer.tokenize` and `decode_media`."""
        answer = _hear(hearer, _LOW)
        check_sound(answer.deltas)
        other = _hear(hearer, _HIGH)
        check(_said(answer) != _said(other), f"another answer about another sound than {_said(answer)}", _said(other))

    @needs(Capability.AUDIO)
    def test_what_is_no_sound_is_refused(self, hearer: Host) -> None:
        """Proves that another kind of file is the client's error, and that others go on."""
        for file in (b"", b"not a sound", _LOW[:20]):
            expect_error(RequestError, _hear, hearer, file)
        text = hearer.answer(greedy(PROMPT)).text
        check(bool(text), "an answer to the next request", text)
