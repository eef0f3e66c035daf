"""An assembly as the `FILE*` that llama.cpp reads, so that nothing is written to the disk.

Only the C library of Linux makes files of functions; elsewhere the assembly is written to a temporary file, which is
removed when the model was read.
"""

import ctypes
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Final

from camelid.errors import ModelLoadError
from camelid_llamacpp.combined.assembly import Assembly

__all__ = ("Stream", "opened_stream", "streams_are_possible", "written_file")

_BUFFER: Final = 1 << 16
_FULL_BUFFERING: Final = 0
_FROM_BEGINNING, _FROM_HERE, _FROM_END = 0, 1, 2
_FOLDER: Final = "camelid-combined-"
_OLD_SECONDS: Final = 3600.0
"""After which a temporary file that nobody wrote to is of a worker that was killed."""

_Read = ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Seek = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int64), ctypes.c_int)


class _Functions(ctypes.Structure):
    """`cookie_io_functions_t`."""

    _fields_ = (("read", _Read), ("write", ctypes.c_void_p), ("seek", _Seek), ("close", ctypes.c_void_p))


@cache
def _library() -> ctypes.CDLL | None:
    """The C library, if it makes files of functions."""
    if os.name != "posix":
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "fopencookie"):
        return None
    library.fopencookie.restype = ctypes.c_void_p
    library.fopencookie.argtypes = [ctypes.c_void_p, ctypes.c_char_p, _Functions]
    library.setvbuf.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    library.fclose.argtypes = [ctypes.c_void_p]
    return library


def streams_are_possible() -> bool:
    """Whether this system can do without a temporary file."""
    return _library() is not None


class Stream:
    """A C file that reads an assembly."""

    def __init__(self, library: ctypes.CDLL, assembly: Assembly, source: FileIO) -> None:
        """Open it.

        Args:
            library: the C library.
            assembly: what it reads.
            source: the file that the assembly is made of, opened unbuffered.

        Raises:
            OSError: the C library would not.
        """
        self._library = library
        self._assembly = assembly
        self._source = source
        self._position = 0
        self._error: Exception | None = None
        # All of these have to live as long as the file.
        self._functions = _Functions(_Read(self._read), None, _Seek(self._seek), None)
        self._buffer = ctypes.create_string_buffer(_BUFFER)
        handle: int | None = library.fopencookie(None, b"rb", self._functions)
        if not handle:
            raise OSError("the C library made no file of functions")
        self.handle = handle
        library.setvbuf(self.handle, self._buffer, _FULL_BUFFERING, _BUFFER)

    def close(self) -> None:
        """Close the C file."""
        self._library.fclose(self.handle)

    def raise_error(self) -> None:
        """Raise what went wrong while it was read: nothing can be raised through C.

        Raises:
            OSError: the source could not be read.
            MemoryError: a tensor that is made of others has no room.
            ModelLoadError: llama.cpp does not know the numbers of one.
        """
        if self._error is not None:
            raise self._error

    def _read(self, _cookie: int, target: int, size: int) -> int:
        try:
            view = memoryview((ctypes.c_char * size).from_address(target)).cast("B")
            count = self._assembly.read_into(self._source, self._position, view)
        except Exception as error:  # noqa: BLE001 - whatever it is: C would take it for the end of the file
            self._error = error
            return -1
        self._position += count
        return count

    def _seek(self, _cookie: int, offset: "ctypes._Pointer[ctypes.c_int64]", whence: int) -> int:
        start = {_FROM_BEGINNING: 0, _FROM_HERE: self._position, _FROM_END: self._assembly.size}.get(whence)
        if start is None or start + offset[0] < 0:
            return -1
        self._position = offset[0] = start + offset[0]
        return 0


@contextmanager
def opened_stream(assembly: Assembly) -> Iterator[Stream]:
    """A C file for the length of the context.

    Raises:
        OSError: the source cannot be opened, or this system makes no files of functions.
    """
    library = _library()
    if library is None:
        raise OSError("this system makes no files of functions")
    with assembly.source.open("rb", buffering=0) as source:
        stream = Stream(library, assembly, source)
        try:
            yield stream
        finally:
            stream.close()


@contextmanager
def written_file(assembly: Assembly, owner: str) -> Iterator[Path]:
    """The assembly as a file, for the length of the context; in memory where there are such files.

    Args:
        assembly: what to write.
        owner: whose it is, for errors: `the projector of model 'x'`.

    Raises:
        ModelLoadError: it cannot be written, or the source cannot be read.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(_temporary_file())
            with path.open("wb") as file:
                file.writelines(assembly.chunks())
        except OSError as error:
            raise ModelLoadError(
                f"{owner} lies inside of a larger file, and there is no room to unpack it", reason=str(error)
            ) from error
        yield path


@contextmanager
def _temporary_file() -> Iterator[Path]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("camelid", os.MFD_CLOEXEC)
        try:
            yield Path(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)
        return
    _remove_old_folders()
    with tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        yield Path(folder) / "model.gguf"


def _remove_old_folders() -> None:
    before = time.time() - _OLD_SECONDS
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with suppress(OSError):  # somebody else's, or just removed
            if all(path.lstat().st_mtime < before for path in (folder, *folder.iterdir())):
                shutil.rmtree(folder)
