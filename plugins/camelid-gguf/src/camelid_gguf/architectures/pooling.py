"""How the vectors of a text's tokens become one."""

from camelid.errors import InvalidModelFileError
from camelid_gguf.folder import SourceFolder

__all__ = ("pooling_of",)

POOLING = "1_Pooling/config.json"
MEAN, FIRST, LAST = 1, 2, 3
"""llama.cpp's numbers."""


def pooling_of(folder: SourceFolder) -> int:
    """What sentence-transformers' configuration says; the mean if there is none.

    Raises:
        InvalidModelFileError: it says several things at once, or none that is known.
    """
    config = folder.optional(POOLING)
    chosen = {
        MEAN: config.flag("pooling_mode_mean_tokens", default=not config.values),
        FIRST: config.flag("pooling_mode_cls_token", default=False),
        LAST: config.flag("pooling_mode_lasttoken", default=False),
    }
    kinds = [kind for kind, set_ in chosen.items() if set_]
    if len(kinds) != 1:
        raise InvalidModelFileError(f"{POOLING}: one of mean, cls and lasttoken must be true")
    return kinds[0]
