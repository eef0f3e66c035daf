"""Names that clients give to the files of a model: relative, with slashes, and leading out of no folder."""

from camelid.errors import RequestError

__all__ = ("name_parts",)


def name_parts(name: str) -> tuple[str, ...]:
    """The folders and the file that a name means (contract 7.7).

    Raises:
        RequestError: it is no such name.
    """
    parts = tuple(name.split("/"))
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or "\0" in name or name[1:2] == ":":
        raise RequestError("file path must be relative", reason=f"{name[:200]!r}")
    return parts
