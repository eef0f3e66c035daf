'''Messages of several lines, between `"""` and `"""` (contract 19.5).'''

__all__ = ("is_open", "unquoted")

_QUOTES = '"""'
_BEFORE = ("", "/set system ")


def _quoted_part(text: str) -> str | None:
    """What follows the opening quotes, if the text or the text of `/set system` begins with them."""
    stripped = text.lstrip()
    for before in _BEFORE:
        if stripped.startswith(before + _QUOTES):
            return stripped.removeprefix(before + _QUOTES)
    return None


def is_open(text: str) -> bool:
    """Whether the message goes on in the next line."""
    part = _quoted_part(text)
    return part is not None and not part.rstrip().endswith(_QUOTES)


def unquoted(text: str) -> str:
    """The text without its quotes; a text without quotes as it is."""
    part = _quoted_part(text)
    if part is None or not part.rstrip().endswith(_QUOTES):
        return text
    return part.rstrip().removesuffix(_QUOTES)
