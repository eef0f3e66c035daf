"""What a request may ask of a model, with the contract's words where it may not (contract 1.6, 3.3 to 3.6)."""

from collections.abc import Iterable
from typing import Final, TypeAlias

from camelid.errors import RequestError, UnsupportedCapabilityError
from camelid.services.capabilities import GPT_OSS
from camelid.services.loading import Model
from camelid.types.capabilities import Capability
from camelid.types.messages import Message

__all__ = ("Think", "check_capability", "check_images", "check_logprobs", "decide_think")

Think: TypeAlias = bool | str | None
"""Whether, or how hard (`low`, `medium`, `high`, `max`), a model shall think; None = as it likes."""

_MOST_LOGPROBS: Final = 20


def check_logprobs(top_logprobs: int) -> None:
    """Raise `RequestError` unless so many alternatives may be asked for."""
    if not 0 <= top_logprobs <= _MOST_LOGPROBS:
        raise RequestError(f"top_logprobs must be between 0 and {_MOST_LOGPROBS}")


def check_capability(model: Model, capability: Capability) -> None:
    """Raise `UnsupportedCapabilityError` unless the model has the capability."""
    if capability not in model.capabilities:
        raise UnsupportedCapabilityError(f"{model.stored.name.qualified} does not support {capability}")


def decide_think(model: Model, asked: str, think: Think, *, if_able: bool = False) -> Think:
    """Whether the model shall think: what the client says, else yes if it can.

    Args:
        model: which may be able to think or not.
        asked: the model's name as the client sent it.
        think: what the client says.
        if_able: a model that cannot think shall answer without.

    Raises:
        UnsupportedCapabilityError: it shall, but cannot.
    """
    able = Capability.THINKING in model.capabilities
    if think is None:
        return True if able else None
    if think is not False and not able:
        if if_able:
            return None
        outdated = model.stored.config.model_family == "qwen3" or model.stored.name.model == "deepseek-r1"
        advice = ". Pull the model again to get the latest version with full thinking support" if outdated else ""
        raise UnsupportedCapabilityError(f'"{asked}" does not support thinking{advice}')
    return "high" if think == "max" and model.stored.config.model_family in GPT_OSS else think


def check_images(model: Model, asked: str, messages: Iterable[Message]) -> None:
    """Refuse images (and sound, which comes in the same field), rather than answer without having looked at them.

    Raises:
        UnsupportedCapabilityError: a message has one, and the model takes text only.
    """
    takes_media = {Capability.VISION, Capability.AUDIO} & {*model.capabilities}
    if not takes_media and any(message.images for message in messages):
        raise UnsupportedCapabilityError(
            f'"{asked}" does not support images: this model is missing data required for image input'
        )
