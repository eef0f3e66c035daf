"""Make a model from another one or from uploaded files (contract 7.7, 15)."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TypeAlias

import msgspec

from camelid.errors import (
    BlobNotFoundError,
    ModelError,
    RemoteModelError,
    RequestError,
    StoreError,
    UnsupportedCapabilityError,
)
from camelid.prompts.choose import choose_template
from camelid.services.config_overrides import override_config
from camelid.services.model_files import ModelFileKind, check_quantization, inspect_file
from camelid.services.progress import SUCCESS, WRITING_MANIFEST, Progress
from camelid.services.references import REMOTE_UNAVAILABLE, parse_reference
from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig, complete_config
from camelid.store.digests import parse_digest
from camelid.store.formats import GGUF
from camelid.store.store import Store
from camelid.types.json import JsonObject
from camelid.types.messages import Message
from camelid.types.names import ModelName
from camelid.types.options import parse_options

__all__ = ("Create", "CreateRequest", "FileSource", "Pulling")

Pulling: TypeAlias = Callable[[ModelName], AsyncGenerator[Progress, None]]
"""Fetches a model that is not here."""

FileSource: TypeAlias = str | Path
"""Digest of an uploaded blob, or a file of this machine that clients may use: it is linked into the store."""


_TRANSFERRING = "transferring model data"
"""Ollama's word for a file that is being brought into the store."""


class CreateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to make. Empty means not said; of a base model it keeps what the base has."""

    model: str
    """The new name, as sent."""
    from_: str = ""
    """An existing model; fetched if it is not here."""
    files: Mapping[str, FileSource] | None = None
    """By file name; `from_` wins over it."""
    adapters: Mapping[str, FileSource] = {}
    draft_files: Mapping[str, FileSource] = {}
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    """Added to the base's."""
    parameters: JsonObject = {}
    """Merged over the base's, name by name."""
    messages: tuple[Message, ...] = ()
    """Replace the base's."""
    quantize: str = ""
    draft_quantize: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    remote_host: str = ""
    info: JsonObject = {}
    """What to write into the config in place of what is found."""
    warnings: tuple[str, ...] = ()
    """Sentences about the request, which stand first among the steps."""


class Create:
    """Makes models."""

    def __init__(self, store: Store, pull: Pulling) -> None:
        self._store = store
        self._pull = pull

    async def __call__(self, request: CreateRequest) -> AsyncGenerator[Progress, None]:
        """Make a model; the last line is `success`. Until then nothing with the new name changes.

        Raises:
            RequestError: the request is wrong; with Ollama's words (contract 7.7).
            UnsupportedCapabilityError: the files would have to be converted or quantised first.
            StoreError: a file was not uploaded, or the disk is full.
        """
        name = await asyncio.to_thread(_check, request)  # compiles the template
        for warning in request.warnings:
            yield Progress(warning)
        builder = ModelBuilder(self._store, ModelConfig())
        inherited: JsonObject = {}
        if request.from_:
            async with aclosing(self._base(request.from_)) as base_lines:
                async for line in base_lines:
                    yield line
            inherited = await asyncio.to_thread(self._inherit, builder, request)
        else:
            found: list[ModelFileKind] = []
            for file, source in (request.files or {}).items():
                if isinstance(source, Path):
                    yield Progress(_TRANSFERRING)
                digest = await asyncio.to_thread(self._stored, source, builder.owner)
                kind = await asyncio.to_thread(self._inspect, file, digest)
                yield Progress("parsing GGUF" if kind.format == GGUF else f"parsing {kind.format} model")
                await asyncio.to_thread(builder.add_blob, kind.media_type, digest)
                found.append(kind)
            _describe(builder, found, request)
        for media_type, files in ((media_types.ADAPTER, request.adapters), (media_types.DRAFT, request.draft_files)):
            for file, source in files.items():
                if isinstance(source, Path):
                    yield Progress(_TRANSFERRING)
                digest = await asyncio.to_thread(self._stored, source, builder.owner)
                kind = await asyncio.to_thread(self._inspect, file, digest)
                yield Progress("parsing GGUF")
                await asyncio.to_thread(_add_companion, builder, media_type, kind, digest)
        await asyncio.to_thread(_add_texts, builder, request, inherited)
        for status in builder.statuses:
            yield Progress(status)
        yield Progress(WRITING_MANIFEST)
        await asyncio.to_thread(builder.write, name)
        yield Progress(SUCCESS)

    async def _base(self, asked: str) -> AsyncGenerator[Progress, None]:
        """Fetch the base model unless it is here."""
        name = parse_reference(asked)
        if await asyncio.to_thread(self._store.find, name) is None:
            async with aclosing(self._pull(name)) as lines:
                async for line in lines:
                    if line.status != SUCCESS:
                        yield line

    def _inherit(self, builder: ModelBuilder, request: CreateRequest) -> JsonObject:
        """Start from the base model; its parameters."""
        base = self._store.find(parse_reference(request.from_))
        if base is None:
            raise StoreError(f"{request.from_} was deleted meanwhile: try again")
        if base.config.remote_host:
            raise RemoteModelError(REMOTE_UNAVAILABLE)
        builder.inherit(base)
        builder.config = base.config if base.header is None else complete_config(base.config, base.header)
        if request.quantize:
            check_quantization(request.quantize, builder.config.file_type)
        return base.params

    def _stored(self, source: FileSource, owner: object) -> str:
        """The digest of a file, which is in the store now if it lay elsewhere on this machine."""
        return source if isinstance(source, str) else self._store.blobs.link(source, owner)

    def _inspect(self, file: str, digest: str) -> ModelFileKind:
        """What an uploaded file is.

        Raises:
            StoreError: it was not uploaded. The status is 500, as Ollama's.
        """
        try:
            self._store.blobs.size(digest)
        except BlobNotFoundError as error:
            raise StoreError(error.message, reason=f"named as {file!r}") from error
        return inspect_file(file, self._store.blobs.path(digest))


def _check(request: CreateRequest) -> ModelName:
    """Everything that needs no disk; the new model's name.

    Raises:
        RequestError: with Ollama's words.
    """
    if not request.model:
        raise RequestError("invalid model name", reason="the request names no model")
    name = parse_reference(request.model)
    if request.remote_host:
        raise UnsupportedCapabilityError("this server does not forward requests to other hosts: leave out remote_host")
    if not request.from_ and request.files is None:
        raise RequestError("neither 'from' or 'files' was specified")
    if not request.from_ and not request.files:
        raise RequestError("no files provided to convert")
    if request.draft_quantize:
        if not request.draft_files:
            raise RequestError("--draft-quantize requires a DRAFT model")
        raise UnsupportedCapabilityError(
            "this server does not quantize: make the draft with llama.cpp's llama-quantize first"
        )
    if len(request.adapters) > 1:
        raise RequestError("only one adapter is currently supported")
    for files in (request.files or {}, request.adapters, request.draft_files):
        for file, source in files.items():
            _check_path(file)
            if isinstance(source, str):
                parse_digest(source)
    _check_texts(request)
    return name


def _check_texts(request: CreateRequest) -> None:
    """Everything of the request that is no file."""
    if any(message.images or message.tool_calls for message in request.messages):
        raise UnsupportedCapabilityError("a model's own messages are text: leave out their images and tool calls")
    if request.template:
        try:
            choose_template(request.template, "")
        except ModelError as error:
            raise RequestError(f"template error: {error.message}", reason=error.reason) from error
    parse_options(request.parameters)
    override_config(ModelConfig(), request.info)


def _check_path(file: str) -> None:
    """File names are only names here, but a path that leaves its folder is a mistake, or worse."""
    if any(part in ("", ".", "..") for part in file.split("/")) or "\\" in file or "\0" in file or file[1:2] == ":":
        raise RequestError("file path must be relative", reason=f"{file[:200]!r}")


def _describe(builder: ModelBuilder, found: list[ModelFileKind], request: CreateRequest) -> None:
    """Write into the config what the files are."""
    main = next((kind for kind in found if kind.media_type == media_types.MODEL), None)
    if main is None:
        raise RequestError("no model among the files: add the one with the weights, or say which model it is from")
    builder.config = ModelConfig(model_format=main.format)
    if main.header is not None:
        builder.config = complete_config(builder.config, main.header)
        families = [kind.header.architecture for kind in found if kind.header is not None]
        builder.config = msgspec.structs.replace(builder.config, model_families=tuple(dict.fromkeys(families)))
    if request.quantize:
        check_quantization(request.quantize, builder.config.file_type)


def _add_companion(builder: ModelBuilder, media_type: str, kind: ModelFileKind, digest: str) -> None:
    """Add an adapter or a draft model, in place of the base's."""
    wanted = media_types.ADAPTER if media_type == media_types.ADAPTER else media_types.MODEL
    if kind.format != GGUF or kind.media_type != wanted:
        role = media_types.FILE_ROLES[media_type].value
        raise RequestError(f"the {role} file is not a GGUF {role}", reason=f"{kind.format}, {kind.media_type}")
    builder.drop(media_type)
    builder.add_blob(media_type, digest)


def _add_texts(builder: ModelBuilder, request: CreateRequest, inherited: JsonObject) -> None:
    """Everything of the request that is no file; `inherited` are the base's parameters."""
    if request.template:
        builder.replace(media_types.TEMPLATE, request.template.encode(), media_types.PROMPT)
    if request.system:
        builder.replace(media_types.SYSTEM, request.system.encode())
    for text in request.licenses:
        builder.add(media_types.LICENSE, text.encode())
    parameters = {name: value for name, value in request.parameters.items() if value is not None}
    if parameters:
        merged = {**inherited, **parameters}
        builder.replace(media_types.PARAMS, msgspec.json.encode(dict(sorted(merged.items()))) + b"\n")
    if request.messages:
        turns = [{"role": message.role, "content": message.content} for message in request.messages]
        builder.replace(media_types.MESSAGES, msgspec.json.encode(turns) + b"\n")
    builder.config = override_config(
        msgspec.structs.replace(
            builder.config,
            renderer=request.renderer or builder.config.renderer,
            parser=request.parser or builder.config.parser,
            requires=request.requires or builder.config.requires,
        ),
        request.info,
    )
