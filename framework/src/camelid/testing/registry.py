"""`RegistrySuite`: proves that a plugin's registry keeps its promises, against a server on a loopback port.

The whole test file of a plugin::

    class TestMine(RegistrySuite):
        def make_source(self, folder: Path) -> RegistrySource:
            return MySource(folder)

where `MySource` is a `RegistrySource` with a `LoopbackServer` that speaks the plugin's protocol. The kit pulls through
the framework's own engine into a real store, so that what is proved is what users get.
"""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import pytest

from camelid.testing.registry_source import RegistrySource
from camelid.testing.suite.pulling import PullingCases
from camelid.testing.suite.pulling_faults import PullingFaultCases
from camelid.testing.suite.pushing import PushingCases

__all__ = ("RegistrySuite",)


class RegistrySuite(PullingCases, PullingFaultCases, PushingCases):
    """Derive from this, say what to test, add nothing else; cases cannot be overridden."""

    expected_failures: ClassVar[dict[str, str]] = {}
    """Case → why it fails today. Strict: a case that passes must be taken out."""

    def make_source(self, folder: Path) -> RegistrySource:  # noqa: ARG002 - not an abstract class: pytest skips those
        """The registry to test, and the server behind it; `folder` is empty."""
        pytest.fail(f"{type(self).__name__} has no make_source(self, folder)", pytrace=False)

    @pytest.fixture
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RegistrySource]:
        """The registry, anew for each case."""
        reason = self.expected_failures.get(getattr(request.node, "originalname", ""))
        if reason:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
        folder = tmp_path / "source"
        folder.mkdir()
        source = self.make_source(folder)
        with source.server, closing(source):
            yield source

    def __init_subclass__(cls) -> None:
        """Refuse overridden cases and expected failures that name no case."""
        cases = {name for name in dir(RegistrySuite) if name.startswith("test_")}
        overridden = sorted(cases & set(vars(cls)))
        if overridden:
            raise TypeError(f"{cls.__name__} overrides {', '.join(overridden)}: use expected_failures, with a reason")
        unknown = sorted(set(cls.expected_failures) - cases)
        if unknown:
            raise TypeError(f"{cls.__name__} expects failures of cases that do not exist: {', '.join(unknown)}")
