"""Requests to create a model of what lies on the server's disk: of a file or folder, by its address `file:///…`; and
those of an older form, with the text of a Modelfile, or the path of one.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

import msgspec

from camelid.errors import RequestError
from camelid.services.create_request import CreateRequest, FileSource
from camelid.store.blobs import BlobStore
from camelid.store.digests import parse_digest
from camelid.store.model_folder import model_files
from camelid.store.modelfile import Modelfile, decode, parse
from camelid.store.modelfile_sources import FILE_SCHEME, find_sources, names_file

__all__ = ("ModelfileRequests",)

_LARGEST: Final = 1 << 20
_DIGEST_SIGN: Final = "@"


class ModelfileRequests:
    """Reads Modelfiles for clients. Of this machine's disk they reach what lies below one folder, and nothing else."""

    def __init__(self, blobs: BlobStore, folder: Path | None, endings: Callable[[], Iterable[str]] = tuple) -> None:
        """Touch no disk.

        Args:
            blobs: where the files are that clients uploaded.
            folder: the setting `modelfiles`.
            endings: of files that backends know.
        """
        self._endings = endings
        self._blobs = blobs
        self._folder = None if folder is None else folder.expanduser()

    def complete(self, request: CreateRequest, *, text: str = "", path: str = "") -> CreateRequest:
        """The request with all that a Modelfile says and it does not say itself. Blocks; hashes no file.

        Args:
            request: names neither a model nor files to make the new one from.
            text: of a Modelfile. FROM and ADAPTER name models, `@sha256:…` of uploaded files as older clients do, or
                files below the folder.
            path: of a Modelfile below the folder, absolute or relative to it; not looked at if there is a text, since
                Ollama's first command sent its own path beside the text.

        Raises:
            RequestError: the Modelfile is wrong or too large, or names what is not below the folder.
        """
        beside = self._folder
        if text:
            modelfile = _parse(text.encode(errors="replace"))
        else:
            modelfile, beside = self._read(path)
        sources = find_sources(modelfile, partial(self._find, beside=beside))
        return msgspec.structs.replace(
            request,
            from_=sources.base,
            files=sources.files or None,
            adapters=request.adapters or sources.adapters,
            draft_files=request.draft_files or sources.draft_files,
            template=request.template or modelfile.template or "",
            system=request.system or modelfile.system or "",
            licenses=request.licenses or modelfile.licenses,
            parameters={**modelfile.parameters, **request.parameters},
            messages=request.messages or modelfile.messages,
            renderer=request.renderer or modelfile.renderer,
            parser=request.parser or modelfile.parser,
            requires=request.requires or modelfile.requires,
            warnings=modelfile.warnings,
        )

    def locate(self, request: CreateRequest) -> CreateRequest:
        """The request with the files that `from_` names, if it is an address `file:///…`. Blocks; hashes no file.

        Raises:
            RequestError: nothing is there, or not below the folder.
        """
        if not request.from_.startswith(FILE_SCHEME):
            return request
        return msgspec.structs.replace(request, from_="", files=self._find(request.from_, self._folder))

    def _read(self, path: str) -> tuple[Modelfile, Path]:
        """A Modelfile below the folder, and the folder that it lies in."""
        if self._folder is None:
            raise RequestError(
                "this server reads no Modelfiles from its disk: send the text as 'modelfile', "
                "or name the folder they may lie in with the setting modelfiles"
            )
        file = self._below(path, self._folder)
        if file is None or not file.is_file():
            raise _missing(path)
        try:
            with file.open("rb") as opened:
                content = opened.read(_LARGEST + 1)
        except OSError as error:
            raise RequestError(f"error reading modelfile: {error.strerror}", reason=str(error)) from error
        return _parse(content), file.parent

    def _find(self, source: str, beside: Path | None) -> Mapping[str, FileSource]:
        """What a line of a Modelfile names: an uploaded blob, or files; nothing if it is the name of a model."""
        if digest := self._digest(source):
            return {digest.replace(":", "-"): digest}
        if source.startswith(FILE_SCHEME):
            source = _addressed_path(source)
        path = None if beside is None else self._below(source, beside)
        try:
            if path is not None and path.is_dir():
                return model_files(path, self._endings)
        except OSError as error:
            raise RequestError(f"the folder {source} cannot be read", reason=str(error)) from error
        if path is not None and path.is_file():
            return {Path(source).name: path}
        if not names_file(source):
            return {}
        if self._folder is None:
            raise RequestError(
                f"this server reads no files of its disk for a Modelfile: upload {source} to /api/blobs and name it "
                "by its digest, or name the folder it may lie in with the setting modelfiles"
            )
        raise _missing(source)

    def _digest(self, source: str) -> str:
        """Of a blob: `@sha256:…`, or its path in the store, which `/api/show` tells; else empty."""
        if source.startswith(_DIGEST_SIGN):
            return parse_digest(source.removeprefix(_DIGEST_SIGN))
        path = Path(source)
        return parse_digest(path.name) if path.is_absolute() and path.parent == self._blobs.folder else ""

    def _below(self, text: str, beside: Path) -> Path | None:
        """Where the path leads to, with all links followed; None if nothing is there, or not below the folder."""
        if self._folder is None:
            return None
        try:
            path = (beside / text).resolve(strict=True)
            return path if path.is_relative_to(self._folder.resolve(strict=True)) else None
        except (OSError, RuntimeError, ValueError):  # loops of links, NUL, names that are too long
            return None


def _addressed_path(address: str) -> str:
    """The path in an address `file:///…`, absolute."""
    try:
        parts = urlsplit(address)
        path = url2pathname(parts.path)
    except (ValueError, OSError) as error:
        raise RequestError(f"{address[:200]} is no address of a file", reason=str(error)) from error
    if parts.netloc not in ("", "localhost") or parts.query or parts.fragment or not path.startswith("/"):
        raise RequestError(f"{address[:200]} is no address of a file on this server: write file:///folder/file")
    return path


def _parse(content: bytes) -> Modelfile:
    if len(content) > _LARGEST:
        raise RequestError(f"the Modelfile is larger than {_LARGEST >> 20} MiB")
    return parse(decode(content))


def _missing(path: str) -> RequestError:
    """One sentence for what is not there and for what is elsewhere: nobody learns what else this disk holds."""
    return RequestError(f"there is no file or folder {path[:200]} below the folder that the setting modelfiles names")
