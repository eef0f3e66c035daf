"""A request to make a model, and everything that can be wrong with it before any file is looked at (contract 7.7)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from camelid.errors import InvalidOptionError, ModelError, RequestError, UnsupportedCapabilityError
from camelid.prompts.choose import choose_template
from camelid.services.config_overrides import override_config
from camelid.services.quantization import quantization_named
from camelid.store.config import ModelConfig
from camelid.store.digests import parse_digest
from camelid.store.file_names import name_parts
from camelid.store.formats import GGUF, ONNX
from camelid.types.json import JsonObject
from camelid.types.messages import Message
from camelid.types.names import ModelName
from camelid.types.options import parse_options

__all__ = ("CreateRequest", "FileSource", "check_request")

FileSource: TypeAlias = str | Path
"""Digest of an uploaded blob, or a file of this machine that clients may use: it is linked into the store."""


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
    """Element type that the model's weights shall have (contract 15.3); for ONNX one that its converter knows."""
    format: str = ""
    """What to convert the model to, `gguf` or `onnx`; it must be of safetensors. Empty to make what the files make."""
    draft_quantize: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    remote_host: str = ""
    info: JsonObject = {}
    """What to write into the config in place of what is found."""
    warnings: tuple[str, ...] = ()
    """Sentences about the request, which stand first among the steps."""


def check_request(request: CreateRequest) -> ModelName:
    """Everything that needs no disk; the new model's name. Compiles the template, so it may take a moment.

    Raises:
        RequestError: with Ollama's words.
    """
    if not request.model:
        raise RequestError("invalid model name", reason="the request names no model")
    name = ModelName.parse(request.model)  # as it is: `x:local` must not replace `x:latest`
    if request.remote_host:
        raise UnsupportedCapabilityError("this server does not forward requests to other hosts: leave out remote_host")
    if not request.from_ and request.files is None:
        raise RequestError("neither 'from' or 'files' was specified")
    if not request.from_ and not request.files:
        raise RequestError("no files provided to convert")
    if request.draft_quantize and not request.draft_files:
        raise RequestError("--draft-quantize requires a DRAFT model")
    if len(request.adapters) > 1 and not any(file.endswith(".safetensors") for file in request.adapters):
        raise RequestError("only one adapter is currently supported")
    if request.format not in ("", GGUF, ONNX):
        raise RequestError(f"models can be converted to gguf or onnx, not to {request.format[:200]!r}")
    quantize = "" if request.format == ONNX else request.quantize
    for wanted in filter(None, (quantize, request.draft_quantize)):
        quantization_named(wanted)
    for files in (request.files or {}, request.adapters, request.draft_files):
        for file, source in files.items():
            name_parts(file)
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
    try:
        parse_options(request.parameters)
    except InvalidOptionError as error:
        # Not Ollama's 500 (contract 3.1), which is for a model that is running: here it would say nothing.
        raise RequestError(error.message, reason=error.reason) from error
    override_config(ModelConfig(), request.info)
