"""A model's folder, looked through before a runtime opens anything in it: its files are hostile until then."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import msgspec

from camelid.errors import InvalidModelFileError
from camelid.types.artifact import ModelArtifact
from camelid.types.json import JsonValue
from camelid_onnx.onnx_file import external_files

__all__ = ("GENAI_CONFIG", "ModelFolder")

GENAI_CONFIG: Final = "genai_config.json"

_T = TypeVar("_T")
_LIBRARY_KEYS: Final = ("custom_ops_library", "backend_path", "library_path", "plugin_path")
"""Settings that make a runtime load code."""


class ModelFolder:
    """The files of one model, by name."""

    def __init__(self, artifact: ModelArtifact) -> None:
        """Look at the folder.

        Raises:
            InvalidModelFileError: the model is a single file without a name.
        """
        self.model = artifact.name
        self._names = frozenset(file.name for file in artifact.files if file.name)
        if not artifact.folder:
            raise InvalidModelFileError(
                f"model {artifact.name!r} is one file, and an ONNX model is a folder: create it from the folder"
            )
        self.path = Path(artifact.folder)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def named(self, ending: str) -> list[str]:
        """The names that end like that, in order."""
        return sorted(name for name in self._names if name.endswith(ending))

    def file(self, name: str) -> Path:
        """The path of a file.

        Raises:
            InvalidModelFileError: it is missing.
        """
        if name not in self._names or not (self.path / name).is_file():
            raise InvalidModelFileError(f"{name} is missing from model {self.model!r}; create the model again with it")
        return self.path / name

    def size(self, names: frozenset[str]) -> int:
        """Bytes of some files."""
        return sum(self.file(name).stat().st_size for name in names)

    def json(self, name: str, kind: type[_T]) -> _T:
        """A JSON file.

        Raises:
            InvalidModelFileError: it is missing, or not what it should be.
        """
        try:
            return msgspec.json.decode(self.file(name).read_bytes(), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OSError) as error:
            raise InvalidModelFileError(f"{name} of model {self.model!r} cannot be read: {error}") from error

    def weights(self, name: str) -> frozenset[str]:
        """The names of an ONNX file and of all files that its weights lie in.

        Raises:
            InvalidModelFileError: one is missing, damaged, or stands outside the folder.
        """
        place = PurePosixPath(name).parent
        found = {name}
        for location in external_files(self.file(name)):
            self._check_inside(location, f"{name} keeps weights in")
            found.add((place / location).as_posix())
        for other in found:
            self.file(other)
        return frozenset(found)

    def check_settings(self, name: str, settings: JsonValue) -> None:
        """Refuse settings that name something outside the folder, or code to be loaded.

        Args:
            name: of the file they stand in.
            settings: all of them.

        Raises:
            InvalidModelFileError: they do.
        """
        for key, text in _texts("", settings):
            if key in _LIBRARY_KEYS or text.endswith((".so", ".dll", ".dylib")):
                raise InvalidModelFileError(
                    f"{name} of model {self.model!r} wants code to be loaded, ({key}: {text[:200]!r})"
                )
            if "/" in text or "\\" in text or text == "..":
                self._check_inside(text, f"{name} names")

    def _check_inside(self, location: str, where: str) -> None:
        path = PurePosixPath(location.replace("\\", "/"))
        if not location or path.is_absolute() or ".." in path.parts or location[1:2] == ":" or "\0" in location:
            raise InvalidModelFileError(
                f"{where} {location[:200]!r}, which is outside the folder of model {self.model!r}"
            )


def _texts(key: str, value: JsonValue) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value, with the key it stands at."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _texts(name, inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(key, inner)
