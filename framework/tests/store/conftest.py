"""A store in a temporary folder, and a model to put into it."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from camelid.store import media_types
from camelid.store.builder import ModelBuilder
from camelid.store.config import ModelConfig
from camelid.store.store import Store
from camelid.types.names import ModelName

AddModel: TypeAlias = Callable[..., ModelName]


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
