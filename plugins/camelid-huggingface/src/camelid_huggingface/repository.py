"""What the Hub says of a repository."""

from pathlib import PurePosixPath
from typing import Annotated, TypeAlias

import msgspec

from camelid.types.json import JsonValue

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


class RepositoryInfo(msgspec.Struct, frozen=True, rename={"card": "cardData", "files": "siblings"}):
    """The Hub's answer about one commit of a repository."""

    sha: str
    """The commit."""
    files: tuple[RepositoryFile, ...] = ()
    card: JsonValue = None
    """The beginning of its README, as its owner wrote it: of any shape."""
    gguf: JsonValue = None
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
        stated = self.card.get("license") if isinstance(self.card, dict) else None
        names = [name for name in (stated if isinstance(stated, list) else [stated]) if isinstance(name, str)]
        if names != ["other"] or not isinstance(self.card, dict):
            return ", ".join(names)
        more = [self.card.get(key) for key in ("license_name", "license_link")]
        return " ".join(part for part in more if isinstance(part, str)) or "other"

    @property
    def parameter_count(self) -> int:
        """Of the model, all pieces together; 0 if the Hub does not know."""
        total = self.gguf.get("total") if isinstance(self.gguf, dict) else None
        return max(0, total) if isinstance(total, int) else 0
