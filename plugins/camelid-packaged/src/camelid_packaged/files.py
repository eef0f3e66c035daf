"""Files of installed packages, found without importing any."""

import base64
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from camelid.errors import RegistryError

__all__ = ("is_installed", "licenses", "locate", "recorded_digest")


def is_installed(location: str) -> bool:
    """Whether the package that `location` begins with is there."""
    return bool(_folders(location))


def locate(location: str) -> Path:
    """The model file that `location` means.

    Args:
        location: `package:path/in/it.gguf`, or the dotted name of a folder with a single GGUF file in it.

    Raises:
        RegistryError: there is no such file, or more than one.
    """
    _, colon, inside = location.partition(":")
    path = PurePosixPath(inside)
    if path.is_absolute() or ".." in path.parts:
        raise RegistryError(f"{location!r} points out of its package")
    folders = _folders(location)
    found = [folder / path for folder in folders] if colon else [file for folder in folders for file in _ggufs(folder)]
    files = [file for file in found if file.is_file()]
    if len(files) != 1:
        count = "no" if not files else "more than one"
        raise RegistryError(f"there is {count} model file at {location!r}", reason=f"looked in {folders}")
    return files[0]


def _folders(location: str) -> list[Path]:
    """The folders that a package, or a folder in it, stands for; several for a namespace package."""
    package, *below = location.partition(":")[0].split(".")
    try:
        spec = find_spec(package)  # of a name without a dot: this runs no code of the package
    except ValueError:  # empty, or a module that was made by hand
        return []
    roots = (spec.submodule_search_locations if spec is not None else None) or []
    return [folder for root in roots if (folder := Path(root, *below)).is_dir()]


def _ggufs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.gguf"))


def recorded_digest(distribution: str, file: Path) -> str:
    """`sha256:` and the hex digits that the installer recorded for `file`; empty if it did not."""
    for recorded in _files(distribution):
        if recorded.name == file.name and recorded.hash is not None and recorded.hash.mode == "sha256":
            padded = recorded.hash.value + "=" * (-len(recorded.hash.value) % 4)
            if Path(str(recorded.locate())) == file:
                return f"sha256:{base64.urlsafe_b64decode(padded).hex()}"
    return ""


def _files(distribution: str) -> list[metadata.PackagePath]:
    try:
        return metadata.distribution(distribution).files or []
    except (metadata.PackageNotFoundError, ValueError):
        return []


def licenses(distribution: str) -> Iterator[str]:
    """The texts of the license files that a distribution carries."""
    try:
        installed = metadata.distribution(distribution)
    except (metadata.PackageNotFoundError, ValueError):
        return
    for name in installed.metadata.get_all("License-File") or []:
        # Older build tools put license files beside METADATA, newer ones into a folder.
        text = installed.read_text(f"licenses/{name}") or installed.read_text(name)
        if text:
            yield text
