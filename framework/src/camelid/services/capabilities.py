"""What a model can do, found without loading it (contract 12.3)."""

from collections.abc import Collection, Sequence
from typing import Final

from camelid.plugins.catalog import RegisteredAnswerFormat
from camelid.prompts.tool_calls.choose import choose_format
from camelid.store.media_types import PROJECTOR
from camelid.store.stored import StoredModel
from camelid.store.summary import HeaderSummary
from camelid.types.capabilities import Capability

__all__ = ("GPT_OSS", "capabilities_of")

GPT_OSS: Final = ("gptoss", "gpt-oss")
"""What the family is called: it always thinks, and knows no harder thinking than `high` (contract 3.3)."""

_KNOWN: Final = {str(capability): capability for capability in Capability}
_PURPOSES: Final = {Capability.COMPLETION, Capability.EMBEDDING, Capability.RERANK, Capability.IMAGE}
_TEMPLATES_SAY: Final = (Capability.TOOLS, Capability.INSERT, Capability.THINKING)


def capabilities_of(
    model: StoredModel,
    language: str,
    template_says: Collection[Capability],
    formats: Sequence[RegisteredAnswerFormat] = (),
    sees_within: Collection[str] = (),
) -> tuple[Capability, ...]:
    """The capabilities of a model, each once, in the order of contract 12.3.

    Args:
        model: its config may name some; formats other than GGUF complete unless the config says otherwise.
        language: of the template it is prompted with, `go` or `jinja`.
        template_says: which capabilities that template knows.
        formats: the answer formats of plugins; the config may name one of these, or one that is built in.
        sees_within: architectures that can see though their projector lies in the language model's own file.
    """
    header, says = model.header, [word for word in _TEMPLATES_SAY if word in template_says]
    found = [_KNOWN[word] for word in model.config.capabilities if word in _KNOWN]
    if language == "jinja":
        found += says
    if header is not None:
        found.append(_purpose(header))
        found += [Capability.VISION] if header.sees and header.architecture in sees_within else []
    elif not _PURPOSES & set(found):
        found.append(Capability.COMPLETION)
    if model.manifest.of_type(PROJECTOR):
        found.append(Capability.VISION)
        found += [Capability.AUDIO] if model.projector is not None and model.projector.hears else []
    if language == "go":
        found += says
    parser = choose_format("", model.config.parser, formats)
    if parser is not None:
        found += [word for word in _TEMPLATES_SAY if word in parser.descriptor.capabilities]
    if model.config.model_family in GPT_OSS:
        found.append(Capability.THINKING)
    return tuple(dict.fromkeys(found))


def _purpose(header: HeaderSummary) -> Capability:
    """What a GGUF file was made for."""
    if header.ranks:
        return Capability.RERANK
    return Capability.EMBEDDING if header.has_pooling else Capability.COMPLETION
