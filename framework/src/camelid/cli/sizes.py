"""Amounts as people read them: bytes in decimal units, counts of parameters (contract 19.2, 19.4)."""

__all__ = ("human_bytes", "human_count", "short_digest")

_UNITS = ((1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB"))


def human_bytes(amount: float) -> str:
    """Bytes in the largest decimal unit: `4.7 GB`, `274 MB`, `512 B`; ten and more without decimals."""
    size, unit = next((item for item in _UNITS if amount >= item[0]), (1, "B"))
    value = amount / size
    if value >= 10 or value == int(value):
        return f"{int(value)} {unit}"
    return f"{value:.1f} {unit}"


def human_count(number: int) -> str:
    """A number of parameters: `8.0B` is `8B`, `134.52M`, `33K`, `999`."""
    for size, letter, decimals in ((1_000_000_000, "B", 1), (1_000_000, "M", 2), (1_000, "K", 0)):
        if number >= size:
            value = number / size
            return f"{value:.{0 if value == int(value) else decimals}f}{letter}"
    return str(number)


def short_digest(digest: str) -> str:
    """The first 12 hex digits, by which people tell models apart."""
    return digest.removeprefix("sha256:")[:12]
