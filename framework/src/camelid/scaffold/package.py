"""Writing a new package."""

from collections.abc import Iterator
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from typing import Final

from camelid import __version__
from camelid.errors import RequestError
from camelid.scaffold.names import PackageNames

__all__ = ("PackageKind", "write_package")

_SHARED: Final = "shared"
"""The folder of what every package has."""
_TEMPLATE: Final = ".template"
"""Ends the names of the files here, so that no tool takes them for code of Camelid's own."""


class PackageKind(StrEnum):
    """What a new package holds; also the folder of its templates."""

    BACKEND = "backend"
    REGISTRY = "registry"


_DESCRIPTIONS: Final = {
    PackageKind.BACKEND: "A Camelid backend: suffix language models, straight from text.",
    PackageKind.REGISTRY: "A Camelid registry: a folder of models behind any web server.",
}
_DEPENDENCIES: Final = {
    PackageKind.BACKEND: ("msgspec>=0.19", "numpy>=1.26"),
    PackageKind.REGISTRY: ("msgspec>=0.19",),
}
"""Beside Camelid itself."""


def write_package(kind: PackageKind, names: PackageNames, folder: Path) -> list[Path]:
    """Write a complete package.

    Args:
        kind: what it holds.
        names: what it is called.
        folder: where to; made if it is not there.

    Returns:
        The files, relative to the folder.

    Raises:
        RequestError: there is something in the folder, or it cannot be written.
    """
    dependencies = (f"camelid{_compatible(__version__)}", *_DEPENDENCIES[kind])
    words = {
        "name": names.name,
        "distribution": names.distribution,
        "module": names.module,
        "classes": names.classes,
        "word": names.word,
        "description": _DESCRIPTIONS[kind],
        "dependencies": ", ".join(f'"{each}"' for each in dependencies),
    }
    templates = files(__package__) / "templates"
    written = []
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise RequestError(f"there is something at {folder} already: name an empty folder, or a new one")
        for path, template in (*_templates(templates / _SHARED), *_templates(templates / kind)):
            relative = Path(Template(path.as_posix().removesuffix(_TEMPLATE)).substitute(words))
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(Template(template).substitute(words), encoding="utf-8")
            written.append(relative)
    except OSError as error:
        raise RequestError(f"cannot write to {folder}: {error.strerror}", reason=str(error)) from error
    return written


def _templates(folder: Traversable, below: Path = Path()) -> Iterator[tuple[Path, str]]:
    """The path of each template, with placeholders, and what it says."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _templates(entry, below / entry.name)
        elif entry.name.endswith(_TEMPLATE):
            yield below / entry.name, entry.read_text(encoding="utf-8")


def _compatible(version: str) -> str:
    """The versions that keep what this one promises: before 1.0 those of the same minor number, later of the major."""
    major, minor, *_rest = version.split(".")
    first_other = f"0.{int(minor) + 1}" if major == "0" else f"{int(major) + 1}"
    return f">={version},<{first_other}"
