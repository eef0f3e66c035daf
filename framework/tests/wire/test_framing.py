import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camelid.errors import ProtocolError
from camelid.types.artifact import ModelArtifact
from camelid.types.loading import LoadOptions
from camelid.wire import framing
from camelid.wire.framing import FrameReader, decode_from_worker, decode_to_worker, encode, with_length
from camelid.wire.messages import MAX_FRAME_BYTES, Cancel, Delta, FromWorker, Goodbye, Start, Step, ToWorker

chunk_sizes = st.lists(st.integers(1, 40), min_size=1)


def chop(stream: bytes, sizes: list[int]) -> list[bytes]:
    """The stream in pieces of these sizes, over and over."""
    pieces, start, turn = [], 0, 0
    while start < len(stream):
        stop = start + sizes[turn % len(sizes)]
        pieces.append(stream[start:stop])
        start, turn = stop, turn + 1
    return pieces


@given(st.lists(st.binary(max_size=300), max_size=20), chunk_sizes)
def test_frames_survive_any_chopping(frames, sizes):
    reader = FrameReader()
    stream = b"".join(map(with_length, frames))
    assert [frame for piece in chop(stream, sizes) for frame in reader.feed(piece)] == frames


@given(st.binary(max_size=300), st.data())
def test_an_incomplete_frame_is_kept_back_until_it_is_whole(frame, data):
    reader = FrameReader()
    stream = with_length(frame)
    cut = data.draw(st.integers(0, len(stream) - 1))
    assert reader.feed(stream[:cut]) == []
    assert reader.feed(stream[cut:]) == [frame]


def test_a_frame_beyond_the_cap_is_refused_before_its_bytes_arrive():
    with pytest.raises(ProtocolError) as caught:
        FrameReader().feed((MAX_FRAME_BYTES + 1).to_bytes(4, "little"))
    assert caught.value.reason == f"a frame of {MAX_FRAME_BYTES + 1} bytes"


def test_frames_in_front_of_nonsense_do_not_hide_it():
    with pytest.raises(ProtocolError):
        FrameReader().feed(with_length(b"good") + b"\xff\xff\xff\xff")


def test_a_message_beyond_the_cap_is_not_sent(monkeypatch):
    monkeypatch.setattr(framing, "MAX_FRAME_BYTES", 100)
    assert with_length(bytes(100)) == b"\x64\0\0\0" + bytes(100)
    with pytest.raises(ProtocolError, match="too large"):
        with_length(bytes(101))


@given(st.binary(max_size=200))
def test_random_bytes_are_a_message_or_a_protocol_error(frame):
    for decode, union in ((decode_to_worker, ToWorker), (decode_from_worker, FromWorker)):
        with contextlib.suppress(ProtocolError):
            assert isinstance(decode(frame), union)


@given(st.integers(), st.binary(max_size=30))
def test_a_damaged_message_is_a_message_or_a_protocol_error(position, noise):
    frame = bytearray(encode(Step((Delta(1, "some text", 3), Delta(2, fault=None)))))
    position %= len(frame)
    frame[position : position + len(noise)] = noise
    with contextlib.suppress(ProtocolError):
        assert isinstance(decode_from_worker(bytes(frame)), FromWorker)


def test_text_that_is_no_utf8_is_refused():
    with pytest.raises(ProtocolError) as caught:
        decode_from_worker(encode(Goodbye("ab")).replace(b"ab", b"\xff\xfe"))
    assert "utf-8" in caught.value.reason


def test_nesting_without_end_is_refused():
    start = encode(Start(1, "b", "p", ModelArtifact("n", "f", (), {"deep": 0}), LoadOptions()))
    bomb = start.replace(b"\xa4deep\x00", b"\xa4deep" + b"\x91" * 1_000_000 + b"\x00")
    with pytest.raises(ProtocolError) as caught:
        decode_to_worker(bomb)
    assert "recursion" in caught.value.reason


def test_each_side_refuses_what_only_the_other_says():
    assert decode_to_worker(encode(Cancel(7))) == Cancel(7)
    with pytest.raises(ProtocolError):
        decode_from_worker(encode(Cancel(7)))
    with pytest.raises(ProtocolError):
        decode_to_worker(encode(Goodbye()))


def test_msgpack_without_a_tag_is_refused():
    with pytest.raises(ProtocolError):
        decode_from_worker(msgspec.msgpack.encode({"text": "x"}))
