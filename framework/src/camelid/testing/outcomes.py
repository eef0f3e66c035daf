"""The outcomes that pytest does not know: REFUSED and NOT RUN."""

import functools
from collections.abc import Callable
from typing import NoReturn, TypeVar, cast

import pytest

from camelid.errors import UnsupportedCapabilityError
from camelid.testing.host import Host
from camelid.types.capabilities import Capability

__all__ = ("NOT_RUN", "REFUSED", "needed", "needs", "not_run")

NOT_RUN = "NOT RUN"
REFUSED = "REFUSED"

_NEEDED: dict[str, Capability] = {}

_Case = TypeVar("_Case", bound=Callable[..., None])


def not_run(reason: str) -> NoReturn:
    """End a case that has no model or hardware to run on; with `--camelid-strict` that fails."""
    pytest.skip(f"{NOT_RUN}: {reason}")


def needs(capability: Capability) -> Callable[[_Case], _Case]:
    """Mark a case that exercises `capability`.

    Where the loaded model declares it, the case runs. Where it does not, the same case must end in
    `UnsupportedCapabilityError`: then it counts as REFUSED. Anything else, success too, is a failure.
    """

    def decorate(case: _Case) -> _Case:
        _NEEDED[case.__name__] = capability

        @functools.wraps(case)
        def run(self: object, **fixtures: object) -> None:
            __tracebackhide__ = True
            host = next(value for value in fixtures.values() if isinstance(value, Host))
            if capability in host.facts.capabilities:
                case(self, **fixtures)
                return
            try:
                case(self, **fixtures)
            except UnsupportedCapabilityError:
                host.refused = True
                return
            pytest.fail(f"the model does not declare {capability.value!r}, yet it works: declare it or refuse it")

        return cast("_Case", run)

    return decorate


def needed(case: str) -> Capability | None:
    """What the case of this name exercises; None for what every backend must do."""
    return _NEEDED.get(case)
