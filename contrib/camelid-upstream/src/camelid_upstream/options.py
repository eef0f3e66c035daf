"""What may be set when a model is loaded."""

from typing import Annotated, TypeAlias

import msgspec

__all__ = ("UpstreamOptions",)

_Seconds: TypeAlias = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class UpstreamOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The backend's own load options (`options.backend_options` of a request)."""

    connect_seconds: _Seconds = 10.0
    """For the upstream to take a connection."""
    silence_seconds: _Seconds = 300.0
    """For it to say the next thing; the first may take as long as a long prompt."""
