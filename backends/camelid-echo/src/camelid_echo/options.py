"""What may be set when the echo model is loaded."""

from typing import Literal

import msgspec

__all__ = ("EchoOptions",)


class EchoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The backend's own load options (`options.backend_options` of a request)."""

    tier: Literal["decoder", "batch", "engine"] = "batch"
    """Which of the three generation tiers to offer."""
    delay: float = 0.0
    """Seconds that one step takes, to play a slow model."""
