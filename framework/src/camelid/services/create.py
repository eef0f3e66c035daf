"""Make a model from another one or from uploaded files (contract 7.7, 15)."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial
from threading import Event
from typing import TypeAlias

import msgspec

from camelid.engine.conversion import Conversions
from camelid.errors import RemoteModelError, RequestCancelledError, RequestError, StoreError
from camelid.plugins.catalog import Catalog
from camelid.services.aliases import NO_ALIASES, Aliases
from camelid.services.components import Component, Components
from camelid.services.config_overrides import override_config
from camelid.services.converting import SAFETENSORS, Converting
from camelid.services.create_request import CreateRequest, FileSource, check_request
from camelid.services.progress import SUCCESS, WRITING_MANIFEST, Progress, Report, lines_of
from camelid.services.quantization import quantization_named
from camelid.services.references import REMOTE_UNAVAILABLE
from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig, complete_config
from camelid.store.formats import GGUF
from camelid.store.gguf import read_header
from camelid.store.manifest import Layer
from camelid.store.store import Store
from camelid.store.workplace import Workplace
from camelid.types.json import JsonObject
from camelid.types.names import ModelName

__all__ = ("Create", "Pulling")

Pulling: TypeAlias = Callable[[ModelName], AsyncGenerator[Progress, None]]
"""Fetches a model that is not here."""


class Create:
    """Makes models."""

    def __init__(
        self,
        store: Store,
        pull: Pulling,
        catalog: Catalog,
        conversions: Conversions,
        *,
        aliases: Aliases = NO_ALIASES,
    ) -> None:
        self._aliases = aliases
        self._store = store
        self._pull = pull
        self._catalog = catalog
        self._conversions = conversions

    def __call__(self, request: CreateRequest) -> AsyncGenerator[Progress, None]:
        """Make a model; the last line is `success`. Until then nothing with the new name changes.

        Closing the iterator gives the model up; what was made for it is removed.

        Raises:
            RequestError: the request is wrong; with Ollama's words (contract 7.7).
            UnsupportedCapabilityError: no plugin can do what it asks for, or not with these files.
            StoreError: a file was not uploaded, or the disk is full.
            WorkerError: a converter died, or came to a standstill.
        """
        return lines_of(partial(self._make, request))

    async def _make(self, request: CreateRequest, report: Report) -> None:
        name = await asyncio.to_thread(check_request, request)  # compiles the template
        for warning in request.warnings:
            report(Progress(warning))
        builder = ModelBuilder(self._store, ModelConfig())
        workplace = self._store.workplace()
        try:
            converting = Converting(self._catalog, self._conversions, workplace, report)
            components = Components(self._store, converting, self._catalog.endings, builder.owner, report)
            inherited = await self._add_model(builder, components, request, report)
            await self._add_companions(builder, components, request)
            await asyncio.to_thread(_add_texts, builder, request, inherited)
            for status in builder.statuses:
                report(Progress(status))
            report(Progress(WRITING_MANIFEST))
            await asyncio.to_thread(builder.write, name)
        finally:
            # Not `to_thread`: a second cancellation, as when a server ends, would call off what has not begun.
            closing = asyncio.get_running_loop().run_in_executor(None, _close, workplace, builder)
            await asyncio.shield(closing)
        report(Progress(SUCCESS))

    async def _add_model(
        self, builder: ModelBuilder, components: Components, request: CreateRequest, report: Report
    ) -> JsonObject:
        """Add the model itself; the parameters that it has from its base."""
        if request.from_:
            await self._fetch(request.from_, report)
            inherited = await asyncio.to_thread(self._inherit, builder, request)
            parts = _parts(builder, request.quantize)
            if parts or request.format:
                await _replace(builder, await components.model(parts, request.quantize, request.format))
            elif request.quantize:
                await self._quantize_base(builder, components, quantization_named(request.quantize))
            return inherited
        found = await components.model(request.files or {}, request.quantize, request.format)
        for component in found:
            await _add(builder, component)
        _describe(builder, found)
        return {}

    async def _fetch(self, asked: str, report: Report) -> None:
        """Fetch the base model unless it is here."""
        name = self._aliases.parse(asked)
        if await asyncio.to_thread(self._store.find, name) is None:
            async with aclosing(self._pull(name)) as lines:
                async for line in lines:
                    if line.status != SUCCESS:
                        report(line)

    def _inherit(self, builder: ModelBuilder, request: CreateRequest) -> JsonObject:
        """Start from the base model; its parameters."""
        base = self._store.find(self._aliases.parse(request.from_))
        if base is None:
            raise StoreError(f"{request.from_} was deleted meanwhile: try again")
        if base.config.remote_host:
            raise RemoteModelError(REMOTE_UNAVAILABLE)
        builder.inherit(base)
        builder.config = base.config if base.header is None else complete_config(base.config, base.header)
        return base.params

    async def _quantize_base(self, builder: ModelBuilder, components: Components, wanted: str) -> None:
        """Replace the inherited weights by quantized ones; all else stays as it was inherited (contract 15.5)."""
        model_format = builder.config.model_format or GGUF
        for layer in [layer for layer in builder.layers if layer.media_type == media_types.MODEL]:
            path = self._store.blobs.path(layer.digest)
            header = await asyncio.to_thread(read_header, path) if model_format == GGUF else None
            has = Component(media_type=media_types.MODEL, format=model_format, header=header, path=path)
            made = await components.quantized(has, wanted)
            if made is not has:
                await _adopt(builder, made, instead=layer)
                builder.config = msgspec.structs.replace(builder.config, file_type=wanted)

    async def _add_companions(self, builder: ModelBuilder, components: Components, request: CreateRequest) -> None:
        """Add an adapter and a draft model, in place of the base's."""
        if request.adapters:
            model = next((layer for layer in builder.layers if layer.media_type == media_types.MODEL), None)
            known = model is not None and builder.config.model_format in ("", GGUF)
            base = self._store.blobs.path(model.digest) if model is not None and known else None
            adapter = await components.adapter(request.adapters, base)
            builder.drop(media_types.ADAPTER)
            await _add(builder, adapter)
        if request.draft_files:
            draft = await components.draft(request.draft_files, request.draft_quantize)
            builder.drop(media_types.DRAFT)
            await _add(builder, draft)


def _close(workplace: Workplace, builder: ModelBuilder) -> None:
    """Remove what was made and is not in the store, and let others remove what was only about to be used."""
    try:
        workplace.close()
    finally:
        builder.close()


def _parts(builder: ModelBuilder, quantize: str) -> dict[str, FileSource]:
    """The files of a base model that must be converted together before it can be used, by name; most often none."""
    layers = [layer for layer in builder.layers if layer.media_type in {media_types.MODEL, media_types.JSON}]
    if builder.config.model_format == SAFETENSORS:
        parts: dict[str, FileSource] = {layer.name: layer.digest for layer in layers if layer.name}
        return parts if any(name.endswith(".safetensors") for name in parts) else {}
    if builder.config.model_format != GGUF or len(layers) == 1 or not quantize:
        return {}
    return {
        f"base-{place:05}-of-{len(layers):05}.gguf": layer.digest
        for place, layer in enumerate(layers, 1)
        if not layer.name
    }


async def _replace(builder: ModelBuilder, found: list[Component]) -> None:
    """Put the model that was made of a base's files in their place."""
    builder.drop(media_types.MODEL, media_types.JSON)
    for component in found:
        await _add(builder, component)
    _describe(builder, found)


async def _add(builder: ModelBuilder, component: Component) -> None:
    """Add a layer."""
    if component.digest:
        await asyncio.to_thread(builder.add_blob, component.media_type, component.digest, component.name)
    else:
        await _adopt(builder, component)


async def _adopt(builder: ModelBuilder, component: Component, *, instead: Layer | None = None) -> None:
    """Move a component from the workplace into the store. If that is given up, it has ended before this returns."""
    given_up = Event()

    def check(_hashed: int) -> None:
        if given_up.is_set():
            raise RequestCancelledError("request canceled", reason="the client left")

    adopting = asyncio.ensure_future(
        asyncio.to_thread(
            builder.adopt,
            component.media_type,
            component.path,
            name=component.name,
            instead=instead,
            on_progress=check,
        )
    )
    try:
        await asyncio.shield(adopting)
    finally:
        given_up.set()
        await asyncio.wait({adopting})


def _describe(builder: ModelBuilder, found: list[Component]) -> None:
    """Write into the config what the files are."""
    main = next((component for component in found if component.media_type == media_types.MODEL), None)
    if main is None:
        raise RequestError("no model among the files: add the one with the weights, or say which model it is from")
    builder.config = ModelConfig(model_format=main.format)
    if main.facts is not None:
        builder.config = main.facts.complete(builder.config)
    if main.header is not None:
        builder.config = complete_config(builder.config, main.header)
        families = [component.header.architecture for component in found if component.header is not None]
        builder.config = msgspec.structs.replace(builder.config, model_families=tuple(dict.fromkeys(families)))


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
