"""Models of several named files, as the folder that their runtimes want to see."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from camelid.errors import InvalidModelFileError, ModelLoadError
from camelid.types.artifact import ModelArtifact, ModelFile

__all__ = ("PREFIX", "in_folder")

PREFIX: Final = ".making-"
"""What the folders' names begin with. They stand beside the files, in the store's folder of blobs, where the server's
next start removes those that a killed worker has left."""


@contextmanager
def in_folder(artifact: ModelArtifact) -> Iterator[ModelArtifact]:
    """The artifact with its `folder`, which is there as long as the context.

    The files are linked. Where they stand under their names already, that folder is taken as it is.

    Raises:
        InvalidModelFileError: a name leads out of the folder, or two files have one name.
        ModelLoadError: the system refuses to link.
    """
    named = [file for file in artifact.files if file.name]
    if not named or artifact.folder:
        yield artifact
        return
    places = {file.name: _parts(artifact.name, file) for file in named}
    if len(places) != len(named):
        raise InvalidModelFileError(f"two files of model {artifact.name!r} have one name")
    first, folder = named[0], Path(named[0].path)
    for _ in places[first.name]:
        folder = folder.parent
    if all(Path(file.path) == folder.joinpath(*places[file.name]) for file in named):
        yield msgspec.structs.replace(artifact, folder=str(folder))
        return
    made: Path | None = None
    try:
        try:
            made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=Path(first.path).parent))
            for file in named:
                _link(Path(file.path), made.joinpath(*places[file.name]))
        except OSError as error:
            raise ModelLoadError(
                f"the files of model {artifact.name!r} could not be linked into a folder; see the log",
                reason=str(error),
            ) from error
        yield msgspec.structs.replace(artifact, folder=str(made))
    finally:
        if made is not None:
            # A file that is still in use cannot be removed on every system.
            shutil.rmtree(made, ignore_errors=True)


def _parts(model: str, file: ModelFile) -> tuple[str, ...]:
    path = PurePosixPath(file.name)
    if path.is_absolute() or ".." in path.parts or "\\" in file.name or ":" in file.name or "\0" in file.name:
        raise InvalidModelFileError(f"a file of model {model!r} is called {file.name[:200]!r}, which leads elsewhere")
    return path.parts


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        target.symlink_to(source)
