"""A model's file: which upstream computes which model. Hostile until proven otherwise: it can name no address.

::

    {"camelid_backend": "upstream", "upstream": "lab", "model": "smollm2:135m", "accepts": ["raw", "options"]}
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from camelid.errors import InvalidModelFileError
from camelid.types.json import JsonValue
from camelid.types.options import SamplingOptions

__all__ = ("FORMAT", "Extra", "UpstreamFile", "extra_fields", "read_model_file")

FORMAT: Final = "upstream"
_MOST_BYTES: Final = 1 << 16

Extra: TypeAlias = Literal[
    "min_p", "options", "raw", "repeat_last_n", "repeat_penalty", "repetition_penalty", "top_k", "typical_p"
]
"""A field of requests that OpenAI's API does not have, and some servers do."""


class UpstreamFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it says."""

    camelid_backend: Literal["upstream"]
    upstream: str
    """Name of one of the upstreams that this server may ask."""
    model: str
    """What the upstream calls the model."""
    accepts: tuple[Extra, ...] = ()
    """What the upstream takes beyond OpenAI's fields. Strict servers refuse what they do not know."""
    max_tokens: Annotated[int, msgspec.Meta(gt=0)] = 1024
    """What is asked for where a request sets no limit: OpenAI's API would stop after 16."""


def read_model_file(path: str) -> UpstreamFile:
    """Read it.

    Raises:
        InvalidModelFileError: it is none.
    """
    try:
        with Path(path).open("rb") as file:
            return msgspec.json.decode(file.read(_MOST_BYTES), type=UpstreamFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        problem = "this is not the file of an upstream's model: camelid-upstream's README shows one"
        raise InvalidModelFileError(problem, reason=str(error)) from error


def extra_fields(accepts: tuple[Extra, ...], sampling: SamplingOptions) -> dict[str, JsonValue]:
    """The fields beyond OpenAI's that are sent."""
    return {name: _EXTRAS[name](sampling) for name in accepts}


def _options(sampling: SamplingOptions) -> JsonValue:
    """Ollama's options that OpenAI has no word for, as Camelid takes them in any request."""
    names: tuple[Extra, ...] = ("top_k", "min_p", "typical_p", "repeat_last_n", "repeat_penalty")
    return {name: _EXTRAS[name](sampling) for name in names}


_EXTRAS: Final[dict[Extra, Callable[[SamplingOptions], JsonValue]]] = {
    "min_p": lambda sampling: sampling.min_p,
    "options": _options,
    "raw": lambda _: True,
    "repeat_last_n": lambda sampling: sampling.repeat_last_n,
    "repeat_penalty": lambda sampling: sampling.repeat_penalty,
    "repetition_penalty": lambda sampling: sampling.repeat_penalty,
    "top_k": lambda sampling: sampling.top_k,
    "typical_p": lambda sampling: sampling.typical_p,
}
