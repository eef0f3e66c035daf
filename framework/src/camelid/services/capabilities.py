"""What a model can do, found without loading it (contract 12.3)."""

from typing import Final

from camelid.prompts.template import ChatTemplate
from camelid.store.gguf import GGUFHeader
from camelid.store.media_types import PROJECTOR
from camelid.store.stored import StoredModel
from camelid.types.capabilities import Capability

__all__ = ("GPT_OSS", "capabilities_of")

GPT_OSS: Final = ("gptoss", "gpt-oss")
"""What the family is called: it always thinks, and knows no harder thinking than `high` (contract 3.3)."""

_KNOWN: Final = {str(capability): capability for capability in Capability}
_TEMPLATES_SAY: Final = (Capability.TOOLS, Capability.INSERT, Capability.THINKING)


def capabilities_of(model: StoredModel, header: GGUFHeader | None, template: ChatTemplate) -> tuple[Capability, ...]:
    """The capabilities of a model, each once, in the order of contract 12.3.

    Args:
        model: its config may name some.
        header: of its GGUF file; None for other formats, which complete unless their config says otherwise.
        template: the one it is prompted with.
    """
    template_says = [word for word in _TEMPLATES_SAY if word in template.capabilities]
    found = [_KNOWN[word] for word in model.config.capabilities if word in _KNOWN]
    if template.language == "jinja":
        found += template_says
    if header is not None:
        found.append(Capability.EMBEDDING if header.has_pooling else Capability.COMPLETION)
        found += [Capability.VISION] if header.fact("vision.block_count") else []
        found += [Capability.AUDIO] if header.fact("audio.block_count") else []
    elif not {Capability.COMPLETION, Capability.EMBEDDING} & set(found):
        found.append(Capability.COMPLETION)
    if model.manifest.of_type(PROJECTOR):
        found.append(Capability.VISION)
        found += [Capability.AUDIO] if _hears(model.projector) else []
    if template.language == "go":
        found += template_says
    if model.config.model_family in GPT_OSS:
        found.append(Capability.THINKING)
    return tuple(dict.fromkeys(found))


def _hears(projector: GGUFHeader | None) -> bool:
    if projector is None or projector.text("clip.projector_type") == "gemma3nv":
        return False
    return any(key.endswith("has_audio_encoder") and value is True for key, value in projector.metadata.items())
