"""Events, however the stream is cut."""

import pytest

from camelid_upstream.events import EventReader, OversizedError

STREAM = ': hello\n\ndata: {"a": 1}\r\n\r\nevent: x\ndata:{"b": "ü"}\n\ndata: [DONE]\n\ndata: half'.encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_events_are_the_same_however_the_stream_is_cut(size):
    reader = EventReader()
    found = [data for start in range(0, len(STREAM), size) for data in reader.feed(STREAM[start : start + size])]
    assert found == [b'{"a": 1}', '{"b": "ü"}'.encode(), b"[DONE]"]


def test_a_line_has_an_end():
    reader = EventReader()
    reader.feed(b"x" * 1_000_000)
    with pytest.raises(OversizedError):
        reader.feed(b"x" * 100_000)
