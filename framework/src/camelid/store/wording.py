"""How a model's size is put for people (contract 13.3)."""

__all__ = ("parameter_size",)

_UNITS = ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0))


def parameter_size(count: int) -> str:
    """A number of parameters in words: `8.0B`, `7B`, `134.52M`, `512K`, `12`."""
    for unit, letter, decimals in _UNITS:
        if count >= unit:
            return f"{count // unit}{letter}" if count % unit == 0 else f"{count / unit:.{decimals}f}{letter}"
    return str(count)
