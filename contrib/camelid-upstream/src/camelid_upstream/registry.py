"""The models that upstreams have, as models of this server: `upstream://lab/smollm2:135m`."""

from typing import Final

import msgspec

from camelid import BlobSource, LayerSource, Registry, ResolvedModel
from camelid.errors import ConfigurationError, RegistryError
from camelid.types.names import DEFAULT_TAG, ModelName
from camelid.types.repository_paths import unfold_path
from camelid_upstream.allowed import VARIABLE, allowed_upstreams
from camelid_upstream.asking import Asking
from camelid_upstream.model_file import FORMAT, Extra, UpstreamFile

__all__ = ("UpstreamRegistry",)

_CONTEXT: Final = 1 << 17
"""Bytes of a prompt and its answer; what is too long for an upstream, it refuses or cuts itself."""
_LLAMA_SERVER_TAKES: Final[tuple[Extra, ...]] = ("min_p", "repeat_last_n", "repeat_penalty", "top_k", "typical_p")
_CAMELID_TAKES: Final[tuple[Extra, ...]] = ("options", "raw")


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
        with Asking(upstream) as asking:
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


def _listed_as(name: ModelName, asking: Asking) -> str:
    """What the upstream calls the model; it may have capital letters, which names do not have."""
    path = unfold_path(name.namespace, name.model)
    wanted = (f"{path}:{name.tag}".lower(), *([path.lower()] if name.tag == DEFAULT_TAG else []))
    listed = asking.models()
    for model in listed:
        if model.lower() in wanted:
            return model
    choice = ", ".join(listed[:20]) or "none"
    raise RegistryError(f"{asking.upstream} has no model {wanted[-1]}; it lists: {choice}")


def _habits(model: str, asking: Asking) -> tuple[tuple[Extra, ...], str]:
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
    blob = BlobSource(digest="", size=len(content), content=content)
    return LayerSource(media_type=f"application/vnd.ollama.image.{kind}", blob=blob, name=name)
