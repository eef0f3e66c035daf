import ctypes
import os
import shutil
import tempfile

import pytest

from camelid.errors import ModelLoadError
from camelid_llamacpp.combined.assembly import Assembly, Computed, Range
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


@linux
@pytest.mark.parametrize("error", [MemoryError(), ModelLoadError("numbers of an unknown type")])
def test_what_goes_wrong_while_something_is_computed_is_raised_as_well(tmp_path, libc, error):
    def refuse(_source):
        raise error

    (tmp_path / "source").touch()
    with opened_stream(Assembly(tmp_path / "source", [b"header", Computed(1000, refuse)])) as stream:
        assert libc.fread(ctypes.create_string_buffer(1000), 1, 1000, stream.handle) < 1000
        with pytest.raises(type(error)):
            stream.raise_error()


@linux
def test_places_that_no_file_has_are_refused(assembly, whole, libc):
    with opened_stream(assembly) as stream:
        for place, whence in ((-1, 0), (-len(whole) - 1, 2), (0, 3)):
            assert libc.fseek(stream.handle, place, whence) == -1
        buffer = ctypes.create_string_buffer(10)
        assert libc.fread(buffer, 1, 10, stream.handle) == 10
        assert buffer.raw == whole[:10]


@linux
def test_beyond_four_gigabytes(tmp_path, libc):
    place, size = (4 << 30) + 12_345, 5 << 30
    path = tmp_path / "source"
    with path.open("wb") as file:
        file.truncate(size)  # a hole, which takes no room
        file.seek(place)
        file.write(b"here")
    with opened_stream(Assembly(path, [b"header", Range(0, size)])) as stream:
        assert libc.fseek(stream.handle, 0, 2) == 0
        assert libc.ftell(stream.handle) == 6 + size
        assert libc.fseek(stream.handle, 6 + place, 0) == 0
        buffer = ctypes.create_string_buffer(4)
        assert libc.fread(buffer, 1, 4, stream.handle) == 4
        assert buffer.raw == b"here"
        stream.raise_error()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_written_file_is_there_as_long_as_it_is_needed(assembly, whole, monkeypatch, in_memory):
    if not in_memory:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with written_file(assembly, "it") as path:
        assert path.read_bytes() == whole
    assert not path.exists()


@pytest.mark.parametrize(("module", "name"), [pytest.param(os, "memfd_create", marks=linux), (tempfile, "mkdtemp")])
def test_where_no_file_can_be_made_it_is_said_so(assembly, monkeypatch, module, name):
    def refuse(*_args, **_more):
        raise OSError(28, "No space left on device")

    if module is tempfile:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(module, name, refuse)
    with pytest.raises(ModelLoadError, match="the eyes of it"), written_file(assembly, "the eyes of it"):
        pass


def test_what_a_killed_worker_left_is_removed_when_it_is_old(assembly, tmp_path, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with written_file(assembly, "it") as path:
        old = path.parent.with_name(f"{path.parent.name}-old")
        shutil.copytree(path.parent, old)
        for left in (old / path.name, old):
            os.utime(left, (1000, 1000))
        other = tmp_path / "other"
        other.mkdir()
        os.utime(other, (1000, 1000))
        with written_file(assembly, "it"):
            assert path.exists()
        assert not old.exists()
        assert other.exists()


def test_a_source_that_cannot_be_read_is_an_error(assembly):
    assembly.source.unlink()
    with pytest.raises(ModelLoadError, match="the eyes of it"), written_file(assembly, "the eyes of it"):
        pass
