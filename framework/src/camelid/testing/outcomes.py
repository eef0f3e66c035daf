"""How a case ends, and the words in which cases say so. pytest and `camelid check` both run cases; neither is needed.

A case that returns has passed. One that raises has failed, unless it raises `NotRun` or `Refused`.
"""

import functools
import reprlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NoReturn, ParamSpec, TypeVar, cast

from camelid.errors import UnsupportedCapabilityError
from camelid.testing.host import Host
from camelid.testing.parts import Parts
from camelid.types.capabilities import Capability

__all__ = (
    "Failed",
    "NotRun",
    "Outcome",
    "Refused",
    "check",
    "expect_error",
    "fail",
    "needed",
    "needs",
    "not_run",
    "variants",
    "variants_of",
)

_NEEDED: dict[str, Capability] = {}
_VARIANTS = "camelid_variants"

_Case = TypeVar("_Case", bound=Callable[..., None])
_Error = TypeVar("_Error", bound=Exception)
_Arguments = ParamSpec("_Arguments")


class Outcome(StrEnum):
    """The five ends of a case."""

    PASSED = "passed"
    REFUSED = "refused"
    """What it exercises is not declared, and was refused cleanly: as good as passed."""
    XFAILED = "xfailed"
    """It failed, as the suite's `expected_failures` said it would."""
    NOT_RUN = "not run"
    """There was no model or hardware for it: an error where somebody is strict."""
    FAILED = "failed"


class Failed(AssertionError):  # noqa: N818 - named as the outcome
    """A promise is not kept; the text says what was expected and what came."""


class NotRun(Exception):  # noqa: N818 - no error
    """A case has nothing to run on; the text says what is missing."""


class Refused(Exception):  # noqa: N818 - no error
    """What a case exercises is not declared, and was refused cleanly."""


def fail(sentence: str) -> NoReturn:
    """End a case that has failed."""
    __tracebackhide__ = True
    raise Failed(sentence)


def not_run(reason: str) -> NoReturn:
    """End a case that has no model or hardware to run on; with `--camelid-strict` that fails."""
    __tracebackhide__ = True
    raise NotRun(reason)


def check(holds: bool, expected: str, came: object) -> None:
    """Fail unless something holds. Unlike `assert` it also looks where Python runs with `-O`.

    Args:
        holds: what has to be true.
        expected: what that is, in words: `a vector for each text`.
        came: what there is instead, as its `repr` shows it.
    """
    __tracebackhide__ = True
    if not holds:
        fail(f"expected {expected}; came {_SHOWN.repr(came)}")


def expect_error(
    kind: type[_Error], call: Callable[_Arguments, object], *args: _Arguments.args, **kwargs: _Arguments.kwargs
) -> _Error:
    """The error that a call has to end in. `UnsupportedCapabilityError` is never meant: it goes on to `needs`."""
    __tracebackhide__ = True
    try:
        came = call(*args, **kwargs)
    except UnsupportedCapabilityError:
        raise
    except kind as error:
        return error
    fail(f"expected the error {kind.__name__}; came no error, but {_SHOWN.repr(came)}")


def needs(capability: Capability) -> Callable[[_Case], _Case]:
    """Mark a case that exercises `capability`.

    Where the loaded model declares it, the case runs. Where it does not, the same case must end in
    `UnsupportedCapabilityError`: then it counts as REFUSED. Anything else, success too, is a failure.
    """

    def decorate(case: _Case) -> _Case:
        _NEEDED[case.__name__] = capability

        @functools.wraps(case)
        def run(self: object, **given: object) -> None:
            __tracebackhide__ = True
            model = next(value for value in given.values() if isinstance(value, (Host, Parts)))
            if capability in model.facts.capabilities:
                case(self, **given)
                return
            try:
                case(self, **given)
            except UnsupportedCapabilityError as error:
                raise Refused(error.message) from None
            fail(f"the model does not declare {capability.value!r}, yet it works: declare it or refuse it")

        return cast("_Case", run)

    return decorate


def needed(case: str) -> Capability | None:
    """What the case of this name exercises; None for what every backend must do."""
    return _NEEDED.get(case)


def variants(name: str, values: Sequence[object]) -> Callable[[_Case], _Case]:
    """Let a case run once for each of some values, which it takes as its argument `name`."""

    def mark(case: _Case) -> _Case:
        setattr(case, _VARIANTS, (name, tuple(values)))
        return case

    return mark


def variants_of(case: Callable[..., None]) -> tuple[str, tuple[object, ...]] | None:
    """The argument's name and the values that `variants` marked a case with."""
    found: tuple[str, tuple[object, ...]] | None = getattr(case, _VARIANTS, None)
    return found


_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = 300
_SHOWN.maxtuple = _SHOWN.maxlist = 12
