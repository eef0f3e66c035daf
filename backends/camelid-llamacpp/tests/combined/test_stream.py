import ctypes
import os

import pytest

from camelid.errors import ModelLoadError
from camelid_llamacpp.combined.assembly import Assembly, Range
from camelid_llamacpp.combined.stream import opened_stream, streams_are_possible, written_file

CONTENT = os.urandom(1 << 18)
linux = pytest.mark.skipif(not streams_are_possible(), reason="only Linux makes files of functions")


@pytest.fixture
def assembly(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return Assembly(path, [b"header", Range(100, 100_000), Range(0, 1 << 17)])


@pytest.fixture
def whole():
    return b"header" + CONTENT[100:100_100] + CONTENT[: 1 << 17]


@pytest.fixture(scope="module")
def libc():
    library = ctypes.CDLL(None)
    library.fread.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p]
    library.fseek.argtypes = [ctypes.c_void_p, ctypes.c_long, ctypes.c_int]
    library.ftell.argtypes = [ctypes.c_void_p]
    library.ftell.restype = ctypes.c_long
    return library


@linux
def test_c_reads_it_like_any_file(assembly, whole, libc):
    with opened_stream(assembly) as stream:
        assert libc.fseek(stream.handle, 0, 2) == 0
        assert libc.ftell(stream.handle) == len(whole)
        for place, size in ((0, len(whole)), (3, 10), (100_000, 1000), (len(whole) - 5, 5)):
            buffer = ctypes.create_string_buffer(size)
            assert libc.fseek(stream.handle, place, 0) == 0
            assert libc.fread(buffer, 1, size, stream.handle) == size
            assert buffer.raw == whole[place : place + size]
        stream.raise_error()


@linux
def test_what_goes_wrong_while_c_reads_is_raised_afterwards(assembly, libc):
    assembly.source.write_bytes(b"short")
    with opened_stream(assembly) as stream:
        assert libc.fread(ctypes.create_string_buffer(1000), 1, 1000, stream.handle) < 1000
        with pytest.raises(OSError, match="became shorter"):
            stream.raise_error()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_written_file_is_there_as_long_as_it_is_needed(assembly, whole, monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with written_file(assembly, "it") as path:
        assert path.read_bytes() == whole
    assert not path.exists()


def test_a_source_that_cannot_be_read_is_an_error(assembly):
    assembly.source.unlink()
    with pytest.raises(ModelLoadError, match="the eyes of it"), written_file(assembly, "the eyes of it"):
        pass
