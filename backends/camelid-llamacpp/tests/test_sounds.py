"""Sound files of strangers, and models that hear."""

import io
import struct
import wave

import numpy as np
import pytest

from camelid import Media
from camelid.errors import RequestError
from camelid.testing.tiny_gguf import write_hearing_projector
from camelid.types import Capability, LoadOptions, ModelArtifact, ModelFile
from camelid.types.artifact import FileRole
from camelid_llamacpp.backend import LlamaModel
from camelid_llamacpp.sounds import check_sound, is_sound


def _tone(frequency: float, seconds: float = 0.5, rate: int = 16000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        times = np.arange(int(seconds * rate)) / rate
        writer.writeframes((20000 * np.sin(2 * np.pi * frequency * times)).astype("<i2").tobytes())
    return file.getvalue()


def _wav(rate: int = 16000, *, encoding: int = 1, frame: int = 2, says: int = 1000, has: int = 1000) -> bytes:
    form = struct.pack("<HHIIHH", encoding, 1, rate, rate * frame, frame, 16)
    body = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", says) + bytes(has)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body


@pytest.fixture
def hearing(tiny, tmp_path):
    projector = write_hearing_projector(tmp_path / "hearing.gguf")
    files = ModelFile(str(tiny["llama"])), ModelFile(str(projector), FileRole.PROJECTOR)
    options = LoadOptions(context_length=256, parallel=1, batch_tokens=32)
    model = LlamaModel(ModelArtifact(name="ears", format="gguf", files=files), options)
    yield model
    model.close()


def test_sounds_are_known_by_their_first_bytes():
    assert all(map(is_sound, (_tone(440), b"ID3\x04", b"\xff\xfb\x90", b"\xff\xf3")))
    assert not any(map(is_sound, (b"", b"\xff", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"\x89PNG", b"fLaC")))


@pytest.mark.parametrize("file", [_tone(440), _wav(), _wav(encoding=3), _wav(encoding=0xFFFE), b"ID3" + bytes(100)])
def test_what_is_whole_passes(file):
    check_sound(file)


@pytest.mark.parametrize(
    "file",
    [
        _wav(says=2**32 - 1),  # libmtmd would ask for 8 GiB, and end the process
        _wav(rate=1),
        _wav(encoding=0x11),
        _wav(frame=0),
        _tone(440)[:30],
        _tone(440)[:200],
        b"RIFF\0\0\0\0WAVE" + bytes(100),
        _wav(rate=4000, frame=2, says=2 * 4000 * 3601, has=2 * 4000 * 3601),
        b"ID3" + bytes(17 * 2**20),
    ],
    ids=["swollen", "slow", "compressed", "empty-frames", "no-data", "cut", "nothing", "long", "long-mp3"],
)
def test_what_would_take_too_much_memory_is_refused(file):
    with pytest.raises(RequestError):
        check_sound(file)


def test_a_model_hears_the_difference(hearing, new_driver):
    assert Capability.AUDIO in hearing.facts.capabilities
    assert Capability.VISION not in hearing.facts.capabilities
    tokenizer, driver = hearing.media_tokenizer(), new_driver(hearing.decoder())

    def heard(file: bytes):
        driver.reset()
        parts = tokenizer.tokenize(["a", file, "b"], add_special=True)
        logits = driver.read(0, parts)
        media = [part for part in parts if isinstance(part, Media)]
        for part in media:
            part.close()
        return logits, [part.digest for part in media]

    low, low_digests = heard(_tone(220))
    high, high_digests = heard(_tone(2200))
    again, again_digests = heard(_tone(220))
    assert np.allclose(low, again, atol=0.02)
    assert not np.allclose(low, high, atol=0.1)
    assert low_digests == again_digests != high_digests
    assert len(set(heard(_tone(220, 31))[1])) == 2  # half a minute each
    driver.decoder.close()


@pytest.mark.parametrize(
    "file",
    [_tone(440, 1 / 16000), _tone(440, 0.005), b"ID3" + bytes(100), b"\xff\xfb" + bytes(300), _wav(says=0, has=0)],
    ids=["one-sample", "short", "no-mp3", "no-frames", "no-samples"],
)
def test_what_cannot_be_heard_is_refused(hearing, file):
    with pytest.raises(RequestError):
        hearing.media_tokenizer().tokenize(["a", file], add_special=True)


def test_pictures_are_refused_by_a_model_that_only_hears(hearing, draw):
    with pytest.raises(RequestError, match="WAV and MP3"):
        hearing.media_tokenizer().tokenize(["a", draw(1)], add_special=True)
