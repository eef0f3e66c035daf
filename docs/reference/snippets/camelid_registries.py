"""A folder of GGUF files as a registry: `shelf/tiny` is the file `tiny.gguf` in it, used without a copy."""

import os
from collections.abc import Callable
from pathlib import Path

from camelid import BlobSource, LayerSource, Registry, ResolvedModel, hookimpl
from camelid.types import ModelName

CAMELID_API = 1


class Shelf(Registry):
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def name(self) -> str:
        return "shelf"

    @property
    def remote(self) -> bool:
        """It asks no other machine, so it comes before those that do, also where the server is air-gapped."""
        return False

    def resolve(self, name: ModelName) -> ResolvedModel | None:
        """Every part of a name is safe as a part of a path; None lets the next registry be asked."""
        path = self._folder / f"{name.model}.gguf"
        if name.namespace != "shelf" or not path.is_file():
            return None
        blob = BlobSource(digest="", size=path.stat().st_size, path=path)
        return ResolvedModel(layers=(LayerSource(media_type="application/vnd.ollama.image.model", blob=blob),))


@hookimpl
def camelid_registries(register: Callable[[Registry], None]) -> None:
    """Runs in the server and in commands, at start: look at nothing yet."""
    register(Shelf(Path(os.environ.get("SHELF_FOLDER", "/srv/models"))))
