"""The folder that a model comes in. Nothing outside it is opened."""

from pathlib import Path, PurePosixPath

from camelid.errors import InvalidModelFileError
from camelid_gguf.documents import Document, parse_object

__all__ = ("SourceFolder",)

MOST_JSON = 256 * 1024 * 1024


class SourceFolder:
    """Files under their own names, or one folder further down."""

    def __init__(self, path: str) -> None:
        self.root = Path(path)

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return self._plain(name) and (self.root / name).is_file()

    def path(self, name: str) -> Path:
        """Where the file is.

        Raises:
            InvalidModelFileError: there is none, or its name leads out of the folder.
        """
        if not self._plain(name):
            raise InvalidModelFileError(f'"{name}" is not the name of a file of this model')
        path = self.root / name
        if not path.is_file():
            raise InvalidModelFileError(f"{name} is missing")
        return path

    def names(self, suffix: str) -> list[str]:
        """Names of the files right in the folder that end so, in order."""
        return sorted(path.name for path in self.root.iterdir() if path.name.endswith(suffix) and path.is_file())

    def read(self, name: str, most: int = MOST_JSON) -> bytes:
        """The bytes of a file.

        Raises:
            InvalidModelFileError: there is none, or it is larger than `most` bytes.
        """
        path = self.path(name)
        if path.stat().st_size > most:
            raise InvalidModelFileError(f"{name} is larger than {most} bytes")
        return path.read_bytes()

    def text(self, name: str) -> str:
        """The text of a file.

        Raises:
            InvalidModelFileError: there is none, or it is no UTF-8.
        """
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidModelFileError(f"{name} is not UTF-8", reason=str(error)) from None

    def document(self, name: str) -> Document:
        """The object that a JSON file holds.

        Raises:
            InvalidModelFileError: there is no such file, or it holds something else.
        """
        text = self.text(name)
        try:
            return Document(name, parse_object(text.encode()))
        except ValueError as error:
            raise InvalidModelFileError(f"{name} holds no JSON object", reason=str(error)) from None

    def optional(self, name: str) -> Document:
        """The same; an empty object if there is no such file.

        Raises:
            InvalidModelFileError: it holds something else.
        """
        return self.document(name) if self.has(name) else Document(name, {})

    @staticmethod
    def _plain(name: str) -> bool:
        parts = PurePosixPath(name).parts
        return (
            1 <= len(parts) <= 2
            and "/".join(parts) == name
            and not any(part in {"..", "/"} or "\\" in part or ":" in part or "\0" in part for part in parts)
        )
