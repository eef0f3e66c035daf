import pytest

from camelid_llamacpp.combined.assembly import Assembly, Computed, Range

CONTENT = bytes(range(256))
PIECES = (b"header", Range(10, 20), b"", Computed(5, lambda source: b"five!"), Range(0, 0), Range(200, 56))
WHOLE = b"header" + CONTENT[10:30] + b"five!" + CONTENT[200:]


@pytest.fixture
def assembly(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return Assembly(path, PIECES)


def test_it_is_its_pieces_one_after_the_other(assembly):
    assert assembly.size == len(WHOLE)
    assert b"".join(bytes(chunk) for chunk in assembly.chunks()) == WHOLE


def test_any_place_can_be_read(assembly):
    buffer = memoryview(bytearray(7))
    with assembly.source.open("rb", buffering=0) as source:
        for position in (*range(len(WHOLE)), *range(0, len(WHOLE), 3)):
            count = assembly.read_into(source, position, buffer)
            assert count > 0
            assert bytes(buffer[:count]) == WHOLE[position : position + count]
        assert assembly.read_into(source, len(WHOLE), buffer) == 0


def test_a_source_that_became_shorter_is_an_error(assembly):
    assembly.source.write_bytes(CONTENT[:210])
    with pytest.raises(OSError, match="became shorter"):
        list(assembly.chunks())
