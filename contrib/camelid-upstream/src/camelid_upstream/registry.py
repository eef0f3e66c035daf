"""The models that upstreams have, as models of this server: `upstream://lab/smollm2:135m`."""

from hashlib import sha256
from typing import Final, Self, TypeVar

import httpx
import msgspec

from camelid import BlobSource, LayerSource, Registry, ResolvedModel
from camelid.errors import ConfigurationError, RegistryError
from camelid.types.json import JsonObject
from camelid.types.names import DEFAULT_TAG, ModelName
from camelid.types.repository_paths import unfold_path
from camelid_upstream.allowed import VARIABLE, Upstream, allowed_upstreams
from camelid_upstream.failures import no_answer, refused
from camelid_upstream.model_file import FORMAT, Extra, UpstreamFile

__all__ = ("UpstreamRegistry",)

_SECONDS: Final = 30.0
_MOST_BYTES: Final = 16 << 20
_CONTEXT: Final = 1 << 17
"""Bytes of a prompt and its answer; what is too long for an upstream, it refuses or cuts itself."""
_LLAMA_SERVER_TAKES: Final[tuple[Extra, ...]] = ("min_p", "repeat_last_n", "repeat_penalty", "top_k", "typical_p")
_CAMELID_TAKES: Final[tuple[Extra, ...]] = ("options", "raw")
_T = TypeVar("_T")


class _Listed(msgspec.Struct):
    id: str


class _List(msgspec.Struct):
    """What `/v1/models` says."""

    data: tuple[_Listed, ...]


class _Properties(msgspec.Struct):
    """What llama-server says of itself at `/props`."""

    chat_template: str = ""


class _Shown(msgspec.Struct):
    """What Ollama and Camelid say of a model at `/api/show`."""

    template: str = ""
    backend: str | None = None
    """Camelid's own."""


class UpstreamRegistry(Registry):
    """Asks the upstream that a name's host stands for. Models are a few lines that say where they are computed."""

    @property
    def name(self) -> str:
        """`upstream`."""
        return "upstream"

    @property
    def protocol(self) -> str:
        """`upstream`, for `upstream://…`."""
        return "upstream"

    def resolve(self, name: ModelName) -> ResolvedModel:
        """A model that refers to the one of that name on its upstream, prompted with its template there.

        Raises:
            RegistryError: this server may not ask that upstream, or it is not there, or it has no such model.
        """
        try:
            upstream = allowed_upstreams().get(name.host)
        except ConfigurationError as error:
            raise RegistryError(error.message) from error
        if upstream is None:
            raise RegistryError(f"the variable {VARIABLE} of this server lists no upstream called {name.host}")
        with _Asking(upstream) as asking:
            model = _listed_as(name, asking)
            accepts, template = _habits(model, asking)
        file = UpstreamFile("upstream", upstream.name, model, accepts)
        return ResolvedModel(
            layers=(
                _layer("model", msgspec.json.encode(file)),
                *([_template_layer(template)] if template else []),
                _layer("params", msgspec.json.encode({"num_ctx": _CONTEXT})),
            ),
            config={"model_format": FORMAT, "model_family": FORMAT},
        )


class _Asking:
    """Short questions to one upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream
        headers = {"Accept-Encoding": "identity", **upstream.headers()}
        self._http = httpx.Client(base_url=upstream.address, headers=headers, timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def models(self) -> list[str]:
        """What it calls its models.

        Raises:
            RegistryError: it does not say.
        """
        status, content = self._send("/v1/models", None)
        if status != httpx.codes.OK:
            raise RegistryError(refused(self.upstream, status, content).message)
        found = _decoded(_List, content)
        if found is None:
            raise RegistryError(f"{self.upstream} has no list of models at /v1/models: correct its address")
        return [model.id for model in found.data]

    def perhaps(self, kind: type[_T], path: str, body: JsonObject | None = None) -> _T | None:
        """The answer at a path that not every server has, of a GET or, with a body, of a POST.

        Raises:
            RegistryError: the upstream is gone.
        """
        status, content = self._send(path, body)
        return _decoded(kind, content) if status == httpx.codes.OK else None

    def _send(self, path: str, body: JsonObject | None) -> tuple[int, bytes]:
        try:
            with self._http.stream("GET" if body is None else "POST", path, json=body) as response:
                return response.status_code, _bounded(response)
        except httpx.HTTPError as error:
            failure = no_answer(self.upstream, error)
            raise RegistryError(failure.message, reason=failure.reason) from error


def _decoded(kind: type[_T], content: bytes) -> _T | None:
    """None where it is something else, as of servers that have a page for every path."""
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _bounded(response: httpx.Response) -> bytes:
    content = b""
    for piece in response.iter_raw():
        content += piece
        if len(content) > _MOST_BYTES:
            raise RegistryError(f"{response.request.url} says more than anybody would read")
    return content


def _listed_as(name: ModelName, asking: _Asking) -> str:
    """What the upstream calls the model; it may have capital letters, which names do not have."""
    path = unfold_path(name.namespace, name.model)
    wanted = (f"{path}:{name.tag}".lower(), *([path.lower()] if name.tag == DEFAULT_TAG else []))
    listed = asking.models()
    for model in listed:
        if model.lower() in wanted:
            return model
    choice = ", ".join(listed[:20]) or "none"
    raise RegistryError(f"{asking.upstream} has no model {wanted[-1]}; it lists: {choice}")


def _habits(model: str, asking: _Asking) -> tuple[tuple[Extra, ...], str]:
    """What the upstream takes beyond OpenAI's fields, and the template that the model is prompted with; empty if it
    does not say.

    Raises:
        RegistryError: it is an Ollama, which prompts by itself.
    """
    properties = asking.perhaps(_Properties, "/props")
    if properties is not None and properties.chat_template:
        return _LLAMA_SERVER_TAKES, properties.chat_template
    shown = asking.perhaps(_Shown, "/api/show", {"model": model})
    if shown is None:
        return (), ""
    if shown.backend is None:
        raise RegistryError(f"{asking.upstream} is an Ollama, whose completions put a template around every prompt")
    return _CAMELID_TAKES, shown.template


def _template_layer(template: str) -> LayerSource:
    """Where each of the two languages of templates belongs."""
    if "{%" in template:
        return _layer("json", template.encode("utf-8", "replace"), "chat_template.jinja")
    return _layer("template", template.encode("utf-8", "replace"))


def _layer(kind: str, content: bytes, name: str = "") -> LayerSource:
    blob = BlobSource(digest=f"sha256:{sha256(content).hexdigest()}", size=len(content), content=content)
    return LayerSource(media_type=f"application/vnd.ollama.image.{kind}", blob=blob, name=name)
