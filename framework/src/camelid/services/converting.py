"""Conversions for one request: room on the disk, a converter, its progress in lines, and a check of what it wrote."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final

import msgspec

from camelid.engine.conversion import Conversions
from camelid.errors import (
    CamelidError,
    DiskFullError,
    InvalidModelFileError,
    PluginError,
    RequestError,
    UnsupportedCapabilityError,
)
from camelid.plugins.catalog import Catalog, RegisteredConverter
from camelid.services.progress import Progress, Report
from camelid.services.quantization import UNQUANTIZED, quantized_bytes
from camelid.store.formats import GGUF, ONNX
from camelid.store.gguf import GGUFHeader, read_header
from camelid.store.onnx_folder import read_onnx_facts
from camelid.store.workplace import Workplace
from camelid.types.artifact import FileRole
from camelid.types.conversion import ConversionTask

__all__ = ("SAFETENSORS", "Converting", "GGUFFile")

SAFETENSORS: Final = "safetensors"
"""A folder as Hugging Face has it."""
PIECES: Final = "gguf-split"
_NO_BLOB: Final = "0000000000000000000"
"""What Ollama gives as digest where a file is quantized: nobody knows it yet (contract 7.7)."""
_CROWDED: Final = 16 << 20
"""With fewer bytes free, a conversion that failed did so for want of space."""


class GGUFFile(msgspec.Struct, frozen=True):
    """A GGUF file and what it says of itself."""

    path: Path
    header: GGUFHeader


class Converting:
    """Makes the files of models in a workplace."""

    def __init__(self, catalog: Catalog, conversions: Conversions, workplace: Workplace, report: Report) -> None:
        """Take what is needed; nothing happens yet.

        Args:
            catalog: the converters.
            conversions: runs them.
            workplace: where files are made; the caller closes it.
            report: takes the lines.
        """
        self._catalog = catalog
        self._conversions = conversions
        self._workplace = workplace
        self._report = report

    async def from_safetensors(
        self, files: Mapping[str, Path], *, role: FileRole = FileRole.MODEL, base: Path | None = None, wanted: str = ""
    ) -> GGUFFile:
        """Convert a model or an adapter.

        Args:
            files: everything that belongs to it, by name.
            role: which of the two it is.
            base: of an adapter: the GGUF file of the model that it belongs to.
            wanted: the type that the client asks for; the outcome has it, or another that can be quantized to it.

        Raises:
            CamelidError: see `_make`.
        """
        direct = wanted if wanted and self._can_write(wanted, role) else ""
        made = await self._from_safetensors(files, role, base, direct)
        if wanted and made.header.file_type not in UNQUANTIZED | {wanted}:
            # Some sources are quantized in their own way, and become Q8_0 where nothing else is asked (contract 15.3).
            await asyncio.to_thread(made.path.unlink)
            made = await self._from_safetensors(files, role, base, "F16")
        return made

    async def to_onnx(self, files: Mapping[str, Path], wanted: str = "") -> dict[str, Path]:
        """Make an ONNX model of safetensors.

        Args:
            files: everything that belongs to the model, by name.
            wanted: one of the converter's types, in upper case; empty to let it choose.

        Returns:
            The files that it became, by name.

        Raises:
            UnsupportedCapabilityError: nothing converts to ONNX, or not to that type.
            CamelidError: see `_run`.
        """
        converter = self._catalog.converter_for(SAFETENSORS, ONNX)
        known = converter.descriptor.quantizations
        if wanted and wanted not in known:
            raise UnsupportedCapabilityError(
                f"unsupported quantization type {wanted} - supported types for onnx are {', '.join(known)}"
            )
        size = await asyncio.to_thread(_total, list(files.values()))
        line = Progress("converting model", total=size)
        # At most: of 16 bits for each element, as most sources have, become 32.
        folder = await self._run(converter, files, line, 2 * size, quantization=wanted, target="model")
        self._report(Progress("verifying conversion"))
        made = await asyncio.to_thread(_files_in, folder)
        try:
            await asyncio.to_thread(read_onnx_facts, made)
        except InvalidModelFileError as error:
            raise _no_model(converter, error) from error
        return made

    async def from_pieces(self, pieces: Mapping[str, GGUFFile]) -> GGUFFile:
        """Merge a GGUF file that was split.

        Args:
            pieces: all of them, by name.

        Raises:
            CamelidError: see `_make`.
        """
        size = await asyncio.to_thread(_total, [piece.path for piece in pieces.values()])
        converter = self._catalog.converter_for(PIECES, GGUF)
        files = {name.rpartition("/")[2]: piece.path for name, piece in pieces.items()}
        return await self._read(
            converter, await self._run(converter, files, Progress("merging GGUF", total=size), size)
        )

    async def quantized(self, source: GGUFFile, wanted: str, *, refusal: str) -> GGUFFile:
        """The same model with elements of the wanted type, which it may have already (contract 15.3).

        Args:
            source: the model.
            wanted: one of the types that clients may ask for.
            refusal: what to say of a source that is of another type and quantized.

        Raises:
            RequestError: the refusal.
            CamelidError: see `_make`.
        """
        has = source.header.file_type
        if has == wanted:
            return source
        if has not in UNQUANTIZED:
            raise RequestError(refusal)
        converter = self._catalog.converter_for(GGUF, GGUF, quantization=wanted)
        size = await asyncio.to_thread(_total, [source.path])
        line = Progress(f"quantizing {has} model to {wanted}", digest=_NO_BLOB, total=size)
        estimate = quantized_bytes(size, has, wanted)
        target = await self._run(converter, {"model.gguf": source.path}, line, estimate, quantization=wanted)
        return await self._read(converter, target)

    def _can_write(self, wanted: str, role: FileRole) -> bool:
        return wanted in self._catalog.converter_for(SAFETENSORS, GGUF, role=role).descriptor.quantizations

    async def _from_safetensors(
        self, files: Mapping[str, Path], role: FileRole, base: Path | None, quantization: str
    ) -> GGUFFile:
        converter = self._catalog.converter_for(SAFETENSORS, GGUF, role=role, quantization=quantization)
        size = await asyncio.to_thread(_total, list(files.values()))
        line = Progress("converting adapter" if role is FileRole.ADAPTER else "converting model", total=size)
        # Most sources have 16 bits for each element.
        estimate = quantized_bytes(size, "F16", quantization) if quantization else size
        target = await self._run(converter, files, line, estimate, role=role, quantization=quantization, base=base)
        made = await self._read(converter, target)
        self._report(Progress("verifying conversion"))
        return made

    async def _read(self, converter: RegisteredConverter, target: Path) -> GGUFFile:
        """What a converter wrote that writes GGUF.

        Raises:
            PluginError: it wrote no model.
        """
        try:
            return GGUFFile(target, await asyncio.to_thread(read_header, target))
        except InvalidModelFileError as error:
            raise _no_model(converter, error) from error

    async def _run(
        self,
        converter: RegisteredConverter,
        files: Mapping[str, Path],
        line: Progress,
        estimate: int,
        *,
        role: FileRole = FileRole.MODEL,
        quantization: str = "",
        base: Path | None = None,
        target: str = "model.gguf",
    ) -> Path:
        """Run a converter; where it wrote.

        Args:
            converter: which one.
            files: what it reads, by the names that they shall have.
            line: what to report; `total` are the bytes it reads.
            estimate: bytes it will write, about.
            role: of what is converted.
            quantization: see `ConversionTask`.
            base: see `ConversionTask`.
            target: name of the file or folder that it writes.

        Raises:
            DiskFullError: there is no room, or there was not enough.
            CamelidError: what it said, and whatever may happen to a worker.
        """
        workplace = self._workplace
        self._report(line)
        await asyncio.to_thread(workplace.require, estimate)
        task = ConversionTask(
            converter=converter.descriptor.name,
            folder=str(await asyncio.to_thread(workplace.source, files)),
            target=str(await asyncio.to_thread(workplace.target, target)),
            role=role,
            quantization=quantization,
            base="" if base is None else str(base),
        )
        try:
            async with aclosing(self._conversions.run(converter, task)) as news:
                async for completed, total in news:
                    share = min(1.0, max(0.0, completed / total)) if total > 0 else 0.0
                    self._report(msgspec.structs.replace(line, completed=int(line.total * share)))
        except RequestError:
            raise
        except CamelidError as error:
            if not isinstance(error, DiskFullError) and await asyncio.to_thread(lambda: workplace.free) < _CROWDED:
                raise DiskFullError(
                    "no space left for the converted model: remove models, or let OLLAMA_MODELS name a folder on a "
                    "larger disk",
                    reason=f"{error.message}: {error.reason}",
                ) from error
            raise
        self._report(msgspec.structs.replace(line, completed=line.total))
        return Path(task.target)


def _no_model(converter: RegisteredConverter, error: InvalidModelFileError) -> PluginError:
    return PluginError(
        f"the converter {converter.descriptor.name} wrote what is no model",
        reason=f"{error.message}: {error.reason}",
        plugin=converter.distribution,
    )


def _files_in(folder: Path) -> dict[str, Path]:
    """The files of a folder by their names relative to it; links are none."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path for path in found}


def _total(paths: list[Path]) -> int:
    return sum(path.stat().st_size for path in paths)
