"""Text as native libraries take it."""

__all__ = ("clean",)


def clean(text: str) -> str:
    """The text with U+FFFD in place of lone surrogates, which are no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
