"""The prompts that workers keep in files beside the models (`camelid.decoding.prefix_files`)."""

import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ("Prefixes",)

_UNFINISHED: Final = "*/*/*.part"
_ABANDONED_SECONDS: Final = 3600.0


class Prefixes:
    """A folder with a folder for each blob, named as the blob. They hold what people asked: nothing of it outlives the
    model, or the wish to have it.
    """

    def __init__(self, folder: Path) -> None:
        """Bind.

        Args:
            folder: absolute; workers make it.
        """
        self._folder = folder

    def forget(self, name: str) -> None:
        """Remove what belongs to a blob."""
        shutil.rmtree(self._folder / name, ignore_errors=True)

    def forget_all(self) -> None:
        """Remove everything."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def sweep(self, blobs: Path) -> None:
        """Remove what belongs to no blob of a folder, and what killed workers left unfinished."""
        with suppress(OSError):
            for model in self._folder.iterdir():
                if not (blobs / model.name).exists():
                    self.forget(model.name)
        for path in self._folder.glob(_UNFINISHED):
            with suppress(OSError):
                if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                    path.unlink()
