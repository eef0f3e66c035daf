"""What the Hub says of a repository."""

from pathlib import PurePosixPath
from typing import Annotated, TypeAlias

import msgspec

__all__ = ("RepositoryFile", "RepositoryInfo")


_Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class _LargeFile(msgspec.Struct, frozen=True):
    sha256: str
    size: _Size


class RepositoryFile(msgspec.Struct, frozen=True, rename={"path": "rfilename"}):
    """One file. Small ones have no digest: the Hub knows only that of the Git object."""

    path: str
    """Relative to the repository, with slashes."""
    size: _Size | None = None
    """Bytes."""
    lfs: _LargeFile | None = None

    @property
    def bytes(self) -> int:
        """Its length."""
        return self.lfs.size if self.lfs is not None else self.size or 0

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hex digits; empty for small files."""
        return f"sha256:{self.lfs.sha256}" if self.lfs is not None else ""

    @property
    def name(self) -> str:
        """Without the folders."""
        return PurePosixPath(self.path).name

    @property
    def is_inside(self) -> bool:
        """Whether its path stays in its repository, as every honest one does."""
        parts = self.path.split("/")
        return all(part not in ("", ".", "..") and "\\" not in part and part.isprintable() for part in parts)


class _Card(msgspec.Struct, frozen=True):
    license: str | list[str] | None = None
    license_name: str | None = None
    license_link: str | None = None


class _Gguf(msgspec.Struct, frozen=True):
    total: _Size = 0


class RepositoryInfo(msgspec.Struct, frozen=True, rename={"card": "cardData", "files": "siblings"}):
    """The Hub's answer about one commit of a repository."""

    sha: str
    """The commit."""
    files: tuple[RepositoryFile, ...] = ()
    card: _Card | None = None
    """The beginning of its README."""
    gguf: _Gguf | None = None
    """What the Hub read in one of the GGUF files."""
    pipeline_tag: str | None = None
    """What the model is for: `text-generation`, `sentence-similarity`…"""

    def find(self, *names: str) -> RepositoryFile | None:
        """The first of these files at the top of the repository, whatever the case of their names."""
        files = {file.path.lower(): file for file in reversed(self.files)}
        return next((files[name] for name in names if name in files), None)

    @property
    def license(self) -> str:
        """What the README says that the license is; empty if nothing."""
        if self.card is None or not self.card.license:
            return ""
        stated = self.card.license if isinstance(self.card.license, str) else ", ".join(self.card.license)
        known = [stated if stated != "other" else "", self.card.license_name or "", self.card.license_link or ""]
        return " ".join(part for part in known if part) or stated

    @property
    def parameter_count(self) -> int:
        """Of the model, all pieces together; 0 if the Hub does not know."""
        return self.gguf.total if self.gguf is not None else 0
