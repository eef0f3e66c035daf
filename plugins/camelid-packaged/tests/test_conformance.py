from collections.abc import Callable
from pathlib import Path

import pytest

from camelid.contracts.registry import Registry
from camelid.testing.registry import LocalRegistrySuite
from camelid.testing.registry_source import ModelSource
from camelid.types.names import ModelName
from camelid_packaged.registry import PackagedModels


class PackagedSource(ModelSource):
    def __init__(self, install: Callable[..., Path]) -> None:
        self._install = install

    def make_registry(self) -> Registry:
        return PackagedModels()

    def publish(self, model: str, weights: bytes) -> ModelName:
        self._install(f"{model}-model", files={"a.gguf": weights}, models={model: f"{model}_model"})
        return ModelName.parse(model)


class TestPackagedModels(LocalRegistrySuite):
    @pytest.fixture(autouse=True)
    def _installer(self, install):
        type(self).install = staticmethod(install)

    def make_source(self, folder: Path) -> ModelSource:
        return PackagedSource(self.install)
