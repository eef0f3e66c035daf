"""`RegistrySuite`: proves that a plugin's registry keeps its promises, against a server on a loopback port.

The whole test file of a plugin::

    class TestMine(RegistrySuite):
        def make_source(self, folder: Path) -> RegistrySource:
            return MySource(folder)

where `MySource` is a `RegistrySource` with a `LoopbackServer` that speaks the plugin's protocol; and one line in its
conftest: ``pytest_plugins = ["camelid.testing.registry_plugin"]``. The kit pulls through the framework's own engine
into a real store, so that what is proved is what users get. A registry that asks no other machine has a
`LocalRegistrySuite` with a `ModelSource`, and the cases that need no server.

A case passes; or it counts as REFUSED, where the registry does not do what it exercises and says so; or it is an XFAIL
that the suite names with its reason; or it fails, with what it proves, where to look, and what the server was asked.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import ClassVar

import pytest

pytest.register_assert_rewrite(
    *(f"camelid.testing.suite.{name}" for name in ("pulling", "pulling_faults", "pushing", "resolving"))
)

from camelid.testing.registry_source import ModelSource, RegistrySource  # noqa: E402 - after the rewrite is registered
from camelid.testing.suite.pulling import PullingCases  # noqa: E402
from camelid.testing.suite.pulling_faults import PullingFaultCases  # noqa: E402
from camelid.testing.suite.pushing import PushingCases, PushingFaultCases  # noqa: E402
from camelid.testing.suite.resolving import ResolvingCases  # noqa: E402

__all__ = ("LocalRegistrySuite", "RegistrySuite")


class LocalRegistrySuite(ResolvingCases, PushingCases):
    """What every registry does. Derive from this, say what to test, add nothing else; cases cannot be overridden."""

    expected_failures: ClassVar[dict[str, str]] = {}
    """Case → why it fails today. Strict: a case that passes must be taken out."""

    def make_source(self, folder: Path) -> ModelSource:  # noqa: ARG002 - not an abstract class: pytest skips those
        """The registry to test, and what it has; `folder` is empty."""
        pytest.fail(f"{type(self).__name__} has no make_source(self, folder)", pytrace=False)

    @pytest.fixture
    def source(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ModelSource]:
        """The registry, anew for each case."""
        reason = self.expected_failures.get(getattr(request.node, "originalname", ""))
        if reason:
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
        folder = tmp_path / "source"
        folder.mkdir()
        with ExitStack() as opened:
            source = opened.enter_context(closing(self.make_source(folder)))
            if isinstance(source, RegistrySource):
                opened.enter_context(source.server)
            yield source

    def __init_subclass__(cls) -> None:
        """Refuse overridden cases and expected failures that name no case."""
        cases = {name for base in cls.__mro__[1:] for name in vars(base) if name.startswith("test_")}
        overridden = sorted(cases & set(vars(cls)))
        if overridden:
            raise TypeError(f"{cls.__name__} overrides {', '.join(overridden)}: use expected_failures, with a reason")
        unknown = sorted(set(cls.expected_failures) - cases)
        if unknown:
            raise TypeError(f"{cls.__name__} expects failures of cases that do not exist: {', '.join(unknown)}")


class RegistrySuite(PullingCases, PullingFaultCases, PushingFaultCases, LocalRegistrySuite):
    """The same, and what only registries do that ask other machines: `make_source` gives a `RegistrySource`."""
