"""Errors across the process border: a `CamelidError` becomes a `Fault` and an equal error again."""

from camelid.errors import CamelidError, error_class
from camelid.wire.messages import Fault

__all__ = ("error_from", "fault_from")


def fault_from(error: BaseException) -> Fault:
    """What the worker says of an error. Foreign exceptions keep their text for the log only."""
    if isinstance(error, CamelidError):
        kind = next(cls.__name__ for cls in type(error).__mro__ if error_class(cls.__name__) is cls)
        return Fault(kind=kind, message=error.message, reason=error.reason, plugin=error.plugin)
    reason = f"{type(error).__name__}: {error}"
    return Fault(kind="CamelidError", message="the model's worker failed; see the server's log", reason=reason)


def error_from(fault: Fault) -> CamelidError:
    """The error that a fault stands for, to be raised in the server."""
    return error_class(fault.kind)(fault.message, reason=fault.reason, plugin=fault.plugin)
