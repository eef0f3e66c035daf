"""A store in a temporary folder, a model to put into it, and somebody else on this machine."""

import errno
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

import pytest

from camelid.store import file_lock, media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.store import Store
from camelid.types.names import ModelName

AddModel: TypeAlias = Callable[..., ModelName]
AsStranger: TypeAlias = Callable[..., AbstractContextManager[None]]

_NOBODY = 65534


@pytest.fixture
def share_of_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a locked file once more is refused, as on shares of Windows machines."""
    lock, opened, locked = file_lock._lock, io.open, set[int]()

    def note(descriptor: int) -> None:
        lock(descriptor)
        locked.add(os.fstat(descriptor).st_ino)

    def open_unlocked(path: Path, *args: object, **kwargs: object) -> object:
        if Path(path).stat().st_ino in locked:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(file_lock, "_lock", note)
    monkeypatch.setattr(io, "open", open_unlocked)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def store(root: Path) -> Store:
    return Store(root)


@pytest.fixture
def add_model(store: Store) -> AddModel:
    """Puts a model of two layers under a name; equal contents are shared blobs."""

    def add(name: str, content: bytes = b'{"camelid_backend": "echo"}', system: str = "Be kind.") -> ModelName:
        builder = ModelBuilder(store, ModelConfig(model_format="echo", model_family="echo"))
        builder.add(media_types.MODEL, content)
        builder.add(media_types.SYSTEM, system.encode())
        return builder.write(ModelName.parse(name))

    return add


@pytest.fixture
def strange_folder() -> Iterator[Path]:
    """A folder that a stranger can look into, which those of pytest are not."""
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def as_stranger() -> AsStranger:
    """Be somebody who may read all files of some folders and write none; where nobody can be that, forbid oneself."""

    @contextmanager
    def become(*folders: Path) -> Iterator[None]:
        if os.geteuid() == 0:
            os.setegid(_NOBODY)
            os.seteuid(_NOBODY)
            try:
                yield
            finally:
                os.seteuid(0)
                os.setegid(0)
            return
        modes = {path: path.stat().st_mode for folder in folders for path in (folder, *folder.rglob("*"))}
        for path, mode in modes.items():
            path.chmod(mode & 0o555)
        try:
            yield
        finally:
            for path, mode in modes.items():
                path.chmod(mode)

    return become
