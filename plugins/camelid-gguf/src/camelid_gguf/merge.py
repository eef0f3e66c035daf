"""One GGUF file of several pieces; every byte of metadata and tensors stays what it was."""

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from camelid.contracts.converter import ReportProgress
from camelid.errors import InvalidModelFileError
from camelid.types.conversion import ConversionTask
from camelid_gguf.folder import SourceFolder
from camelid_gguf.header import Header, HeaderTensor, read_gguf

__all__ = ("merge_files",)

PIECE = 1 << 22
NAME = re.compile(r"(?P<prefix>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def merge_files(task: ConversionTask, report: ReportProgress) -> None:
    """Write `task.target` of the pieces in `task.folder`.

    Raises:
        InvalidModelFileError: a piece is missing or damaged, or they do not belong together (contract 15.2).
    """
    pieces = _pieces(SourceFolder(task.folder))
    first = pieces[0]
    tensors = [(piece, tensor) for piece in pieces for tensor in piece.tensors]
    _check_tensors(first, [tensor for _, tensor in tensors])
    entries = [entry.stored for key, entry in first.entries.items() if not key.startswith("split.")]
    alignment = first.alignment

    total, done = sum(tensor.size for _, tensor in tensors), 0
    with Path(task.target).open("xb") as out:
        out.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries))
        offset = 0
        for _, tensor in tensors:
            out.write(_info(tensor, offset))
            offset += tensor.size + -tensor.size % alignment
        out.write(bytes(-out.tell() % alignment))
        for piece, tensor in tensors:
            with piece.path.open("rb") as source:
                for data in _data(source, tensor):
                    out.write(data)
                    done += len(data)
                    report(done, total)
            out.write(bytes(-tensor.size % alignment))


def _pieces(folder: SourceFolder) -> list[Header]:
    """The pieces in order."""
    names = folder.names(".gguf")
    found: dict[int, Header] = {}
    sets = set()
    for name in names:
        match = NAME.fullmatch(name)
        if not match:
            raise InvalidModelFileError(f'split GGUF "{name}" must use llama.cpp split filename pattern')
        sets.add((match["prefix"], match["count"]))
        found[int(match["number"])] = _piece(folder, name, int(match["number"]), int(match["count"]))
    if not names:
        raise InvalidModelFileError("no GGUF files found")
    if len(sets) > 1:
        raise InvalidModelFileError("the split GGUF files belong to several models")
    ((_, count),) = sets
    if len(found) != int(count):
        raise InvalidModelFileError(f'split GGUF "{names[0]}" has {len(found)} shards, expected {int(count)}')
    return [found[number] for number in sorted(found)]


def _piece(folder: SourceFolder, name: str, number: int, count: int) -> Header:
    if not 1 <= number <= count:
        raise InvalidModelFileError(f'split GGUF "{name}" filename index {number} is not one of {count}')
    header = read_gguf(folder.path(name))
    if "split.no" not in header.entries:
        raise InvalidModelFileError(f'split GGUF "{name}" is missing split.no metadata')
    stated = header.count("split.count")
    if stated != count:
        raise InvalidModelFileError(
            f'split GGUF "{name}" filename count {count} does not match metadata count {stated}'
        )
    if header.count("split.no") + 1 != number:
        raise InvalidModelFileError(
            f'split GGUF "{name}" filename index {number} does not match metadata index {header.count("split.no") + 1}'
        )
    return header


def _check_tensors(first: Header, tensors: list[HeaderTensor]) -> None:
    names = {tensor.name for tensor in tensors}
    if len(names) < len(tensors):
        raise InvalidModelFileError("a tensor is in two pieces of the split GGUF")
    stated = first.count("split.tensors.count", len(tensors))
    if stated != len(tensors):
        raise InvalidModelFileError(f"the split GGUF has {len(tensors)} tensors, expected {stated}")


def _info(tensor: HeaderTensor, offset: int) -> bytes:
    name = tensor.name.encode()
    sides = struct.pack(f"<I{len(tensor.sides)}Q", len(tensor.sides), *tensor.sides)
    return struct.pack("<Q", len(name)) + name + sides + struct.pack("<IQ", tensor.kind, offset)


def _data(source: BinaryIO, tensor: HeaderTensor) -> Iterator[bytes]:
    source.seek(tensor.offset)
    left = tensor.size
    while left:
        data = source.read(min(PIECE, left))
        if not data:
            raise InvalidModelFileError(f"{Path(source.name).name} is damaged: it ends too early")
        yield data
        left -= len(data)
