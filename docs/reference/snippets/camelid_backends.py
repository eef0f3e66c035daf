"""A backend says what it is. Nothing heavy is imported for that."""

from collections.abc import Callable

import msgspec

from camelid import hookimpl
from camelid.types import BackendDescriptor, Capability

CAMELID_API = 1


class CountingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be set when a model is loaded: `options.backend_options` of a request."""

    wrap: bool = True
    """Go on with the first byte after the last one."""


@hookimpl
def camelid_backends(register: Callable[[BackendDescriptor], None]) -> None:
    """Called in every process that loads plugins, also for `camelid plugins`."""
    register(
        BackendDescriptor(
            name="counting",
            formats=frozenset({"counting"}),
            capabilities=frozenset({Capability.COMPLETION, Capability.TOKENIZE, Capability.LOGPROBS}),
            description="goes on counting where you stopped",
            options=CountingOptions,
        )
    )
