from pathlib import Path

import pytest

from camelid.testing.registry import RegistrySuite
from camelid.testing.registry_source import RegistrySource


class TestWeb(RegistrySuite):
    @pytest.fixture(autouse=True)
    def _source_maker(self, make_source):
        type(self).maker = staticmethod(make_source)

    def make_source(self, folder: Path) -> RegistrySource:
        return self.maker(folder)
