"""The files of a request as the files of a model: found, checked, and where need be converted (contract 15)."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import msgspec

from camelid.errors import (
    BlobNotFoundError,
    ModelError,
    RequestError,
    StoreError,
    UnsupportedCapabilityError,
)
from camelid.services.converting import Converting, GGUFFile
from camelid.services.create_request import FileSource
from camelid.services.model_files import inspect_file, media_type_of
from camelid.services.progress import Progress, Report
from camelid.services.quantization import quantization_named
from camelid.services.split_files import group_pieces, is_piece
from camelid.store import media_types
from camelid.store.formats import GGUF, ONNX
from camelid.store.gguf import GGUFHeader
from camelid.store.onnx_folder import OnnxFacts, has_onnx, layer_type, main_first, read_onnx_facts
from camelid.store.store import Store
from camelid.types.artifact import FileRole

__all__ = ("Component", "Components")

_QUANTIZED_ALREADY = "quantization is only supported for F16, BF16 and F32 models"
_COMPANIONS = (".json", ".jinja", "tokenizer.model")
"""What lies beside weights in a folder, and is sent along; a GGUF file has all of it inside."""
_TRANSFERRING = "transferring model data"
"""Ollama's word for a file that is being brought into the store."""


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the model that is made."""

    media_type: str
    format: str
    """As `ModelArtifact.format`."""
    header: GGUFHeader | None = None
    """Of GGUF files."""
    path: Path
    digest: str = ""
    """Of the blob that it is; empty while it lies in the workplace."""
    name: str = ""
    """Of a model of several files: what the file is called."""
    facts: OnnxFacts | None = None
    """Of an ONNX model, on its first component."""


class Components:
    """Makes components of the files of one request."""

    def __init__(
        self,
        store: Store,
        converting: Converting,
        endings: Mapping[str, str],
        owner: object,
        report: Report,
    ) -> None:
        """Take what is needed.

        Args:
            store: where uploaded files are, and models that tell of which format a file is.
            converting: makes GGUF files of others.
            endings: of files, as `inspect_file` wants them.
            owner: in whose name files of this machine are stored.
            report: takes the lines.
        """
        self._store = store
        self._blobs = store.blobs
        self._converting = converting
        self._endings = endings
        self._owner = owner
        self._report = report

    async def model(self, files: Mapping[str, FileSource], quantize: str = "", becomes: str = "") -> list[Component]:
        """The components of a model.

        Args:
            files: by name. Those that no GGUF file is belong together if there are safetensors among them.
            quantize: the type that its weights shall have, as sent; empty to leave them.
            becomes: the format to convert it to; empty to take the one that its files have, or become.

        Raises:
            RequestError: the files are nothing that can be used.
            UnsupportedCapabilityError: no plugin can convert them.
            StoreError: a file was not uploaded, or the disk is full.
        """
        if becomes and not _has_safetensors(files):
            raise UnsupportedCapabilityError(
                f"only safetensors can be converted to {becomes}: name a folder, or a model, whose files are such"
            )
        if becomes == ONNX:
            paths = {name: (await self._stored(source, name))[1] for name, source in files.items()}
            made = await self._converting.to_onnx(paths, quantize.upper())
            return await asyncio.to_thread(_onnx_components, {name: ("", path) for name, path in made.items()})
        wanted = quantization_named(quantize) if quantize else ""
        found = await self._found(files, wanted)
        if not wanted:
            return found
        return [await self.quantized(component, wanted) for component in found]

    async def draft(self, files: Mapping[str, FileSource], quantize: str = "") -> Component:
        """The component of a draft model.

        Raises:
            RequestError: the files are nothing that can be used.
            CamelidError: see `model`; errors of the files are the client's (contract 7.7).
        """
        wanted = quantization_named(quantize) if quantize else ""
        try:
            draft = _only(await self._found(files, wanted), media_types.MODEL, media_types.DRAFT)
            if wanted and draft.header is not None:
                refusal = f"draft quantization requires an unquantized draft model, got {draft.header.file_type}"
                draft = await self.quantized(draft, wanted, refusal)
        except ModelError as error:
            raise RequestError(error.message, reason=error.reason) from error
        return msgspec.structs.replace(draft, media_type=media_types.DRAFT)

    async def adapter(self, files: Mapping[str, FileSource], base: Path | None) -> Component:
        """The component of an adapter.

        Args:
            files: a GGUF file, or a safetensors set.
            base: the model's GGUF file; None if it is of another format.

        Raises:
            RequestError: the files are nothing that can be used.
            CamelidError: see `model`; errors of the files are the client's (contract 7.7).
        """
        try:
            if not _has_safetensors(files):
                return _only(await self._found(files, ""), media_types.ADAPTER, media_types.ADAPTER)
            if base is None:
                raise UnsupportedCapabilityError(
                    "adapters are converted for models in GGUF format, and this model is in another"
                )
            paths = {name: (await self._stored(source, name))[1] for name, source in files.items()}
            made = await self._converting.from_safetensors(paths, role=FileRole.ADAPTER, base=base)
        except ModelError as error:
            raise RequestError(error.message, reason=error.reason) from error
        return _only([_made(made)], media_types.ADAPTER, media_types.ADAPTER)

    async def quantized(self, component: Component, wanted: str, refusal: str = _QUANTIZED_ALREADY) -> Component:
        """A model's component with elements of the wanted type; other components as they are.

        Args:
            component: the component.
            wanted: one of the types that clients may ask for.
            refusal: what to say if it is quantized in another way.

        Raises:
            RequestError: the refusal.
            CamelidError: it cannot be done.
        """
        if component.media_type != media_types.MODEL:
            return component
        if component.header is None:
            raise UnsupportedCapabilityError(f"a model of the format {component.format!r} cannot be quantized")
        source = GGUFFile(component.path, component.header)
        made = await self._converting.quantized(source, wanted, refusal=refusal)
        return component if made is source else _made(made)

    async def _found(self, files: Mapping[str, FileSource], wanted: str) -> list[Component]:
        """What the files are, after converting and merging."""
        stored = {name: await self._stored(source, name) for name, source in files.items()}
        if has_onnx(files):
            self._report(Progress(f"parsing {ONNX} model"))
            return await asyncio.to_thread(_onnx_components, stored)
        found: list[Component] = []
        if _has_safetensors(files):
            source = {name: path for name, (_, path) in stored.items() if not name.endswith(".gguf")}
            found.append(_made(await self._converting.from_safetensors(source, wanted=wanted)))
            stored = {name: place for name, place in stored.items() if name not in source}
        elif any(name.endswith(".gguf") for name in stored):
            stored = {name: place for name, place in stored.items() if not name.endswith(_COMPANIONS)}
        pieces: dict[str, GGUFFile] = {}
        for name, (digest, path) in stored.items():
            kind = await asyncio.to_thread(
                inspect_file, name, path, self._endings, partial(self._store.format_of, digest)
            )
            self._report(Progress("parsing GGUF" if kind.format == GGUF else f"parsing {kind.format} model"))
            if kind.header is not None and is_piece(kind.header):
                pieces[name] = GGUFFile(path, kind.header)
                continue
            found.append(
                Component(media_type=kind.media_type, format=kind.format, header=kind.header, path=path, digest=digest)
            )
        groups = group_pieces({name: piece.header for name, piece in pieces.items()})
        merged = [await self._converting.from_pieces({name: pieces[name] for name in names}) for names in groups]
        return found + [_made(file) for file in merged]

    async def _stored(self, source: FileSource, name: str) -> tuple[str, Path]:
        """Digest and path of a file, which is in the store now if it lay elsewhere on this machine.

        Raises:
            StoreError: it was not uploaded. The status is 500, as Ollama's.
        """
        if isinstance(source, Path):
            self._report(Progress(_TRANSFERRING))
            digest = await asyncio.to_thread(self._blobs.link, source, self._owner)
            if not await asyncio.to_thread(_is_linked, source, self._blobs.path(digest)):
                self._report(Progress(f"copied {name}, which cannot be linked from there"))
        else:
            digest = source
        try:
            if not await asyncio.to_thread(self._blobs.touch, digest, self._owner):
                await asyncio.to_thread(self._blobs.size, digest)
        except BlobNotFoundError as error:
            raise StoreError(error.message, reason=f"named as {name!r}") from error
        return digest, self._blobs.path(digest)


def _is_linked(source: Path, blob: Path) -> bool:
    """Whether both are one file."""
    try:
        return source.samefile(blob)
    except OSError:  # gone meanwhile, which what follows says
        return True


def _onnx_components(stored: Mapping[str, tuple[str, Path]]) -> list[Component]:
    """The files of an ONNX model under their names, the one with the graph first.

    Args:
        stored: digest and path of each by name; no digest of those that lie in the workplace.

    Raises:
        RequestError: a file is missing, or not what it should be.
    """
    try:
        facts = read_onnx_facts({name: path for name, (_, path) in stored.items()})
    except ModelError as error:
        raise RequestError(error.message, reason=error.reason) from error
    found = [
        Component(media_type=layer_type(name), format=ONNX, path=stored[name][1], digest=stored[name][0], name=name)
        for name in sorted(stored, key=main_first)
    ]
    return [msgspec.structs.replace(found[0], facts=facts), *found[1:]]


def _has_safetensors(files: Mapping[str, FileSource]) -> bool:
    return any(name.endswith(".safetensors") for name in files)


def _made(file: GGUFFile) -> Component:
    return Component(media_type=media_type_of(file.header), format=GGUF, header=file.header, path=file.path)


def _only(found: list[Component], wanted: str, becomes: str) -> Component:
    """The last of the components, which must all be of one kind."""
    role = media_types.FILE_ROLES[becomes].value
    for component in found:
        if component.format != GGUF or component.media_type != wanted:
            raise RequestError(
                f"the {role} file is not a GGUF {role}", reason=f"{component.format}, {component.media_type}"
            )
    return found[-1]
