"""Which of a model's templates is used (contract 5.4, 12.4)."""

from functools import lru_cache
from typing import TYPE_CHECKING

from camelid.errors import ModelError
from camelid.prompts.renderers.find import renderer_source
from camelid.prompts.template import ChatTemplate
from camelid.prompts.unknown_renderer import UnknownRenderer
from camelid.types.capabilities import Capability

if TYPE_CHECKING:
    from camelid.prompts.go import GoTemplate
    from camelid.prompts.jinja import JinjaTemplate

__all__ = ("choose_template", "go_capabilities")

_BARE = "{{ .Prompt }}"
_NAMED = ("tools", "suffix", "thinking")
"""What a Go template names that can do more than complete."""


@lru_cache(maxsize=64)
def choose_template(
    go_source: str | None,
    jinja_source: str,
    *,
    bos_token: str = "",
    eos_token: str = "",
    prefer_go: bool | None = None,
    renderer: str = "",
) -> ChatTemplate:
    """The template to use; remembered, so that asking for the same again costs nothing.

    The Go template wins, unless Jinja can do strictly more, or the same but with a whole tool round trip that Go lacks.
    Where a config names a renderer, a TEMPLATE of nothing but the prompt is none: then the file's own template is used,
    which its makers tested, and without one the renderer.

    Args:
        go_source: the model's TEMPLATE; None if it has none.
        jinja_source: the template in the model's file; empty if there is none.
        bos_token: text of the model's begin token, for Jinja.
        eos_token: text of its end token, for Jinja.
        prefer_go: which to use where the model has both; None to compare them.
        renderer: what the model's config calls its renderer; empty if it names none.

    Raises:
        ModelError: the template that is to be used is not valid.
    """
    if renderer and (go_source or _BARE).strip() == _BARE:
        if jinja_source:
            return _jinja(jinja_source, bos_token, eos_token)
        source = renderer_source(renderer)
        return _jinja(source, bos_token, eos_token, with_thoughts=True) if source else UnknownRenderer(renderer)
    if jinja_source and (go_source is None or prefer_go is False):
        return _jinja(jinja_source, bos_token, eos_token)
    go = _go(_BARE if go_source is None else go_source)
    if not jinja_source or prefer_go:
        return go
    try:
        jinja = _jinja(jinja_source, bos_token, eos_token)
    except ModelError:
        return go
    more = jinja.capabilities > go.capabilities
    whole = jinja.capabilities == go.capabilities and jinja.tool_round_trip and not go.tool_round_trip
    return jinja if more or whole else go


@lru_cache(maxsize=1024)
def go_capabilities(source: str) -> frozenset[Capability]:
    """What a Go template can do (contract 12.3), found without compiling it, and often without reading it.

    Raises:
        ModelError: it is not valid.
    """
    folded = source.lower()
    return _go(source).capabilities if any(name in folded for name in _NAMED) else frozenset()


# The engines take a tenth of a second to import, which a server that has not answered anybody yet need not wait for.


def _go(source: str) -> "GoTemplate":
    from camelid.prompts.go import GoTemplate  # noqa: PLC0415

    return GoTemplate(source)


def _jinja(source: str, bos_token: str, eos_token: str, *, with_thoughts: bool = False) -> "JinjaTemplate":
    from camelid.prompts.jinja import JinjaTemplate  # noqa: PLC0415

    return JinjaTemplate(source, bos_token, eos_token, with_thoughts=with_thoughts)
