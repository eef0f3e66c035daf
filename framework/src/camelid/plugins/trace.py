"""Each hook call in the log, for whoever develops a plugin: `CAMELID_TRACE_PLUGINS=1`.

In the server the lines are in its log, in a worker on standard error, which the server's log takes over, and in
commands on standard error. What is shown of a value is short, and nothing that looks like a secret.
"""

import logging
import os
import re
import time
from collections.abc import Mapping
from reprlib import Repr
from typing import Final

import msgspec

__all__ = ("LOGGER", "Call", "begin_tracing", "tracing_wanted")

LOGGER: Final = "camelid.plugins.trace"
"""Name of the log; what a worker writes about it is known by this."""

_log = logging.getLogger(LOGGER)

_LONGEST: Final = 400
"""Characters of one argument or result."""
_SECRET: Final = re.compile(r"key|secret|password|credential|authorization|(^|_)token$", re.IGNORECASE)
_HIDDEN: Final = "'…'"


def tracing_wanted() -> bool:
    """Whether the environment asks for it."""
    return os.environ.get("CAMELID_TRACE_PLUGINS") == "1"


def begin_tracing() -> None:
    """Let the lines be seen, whatever the level of other logs; on standard error where there is no log."""
    _log.setLevel(logging.INFO)
    if not _log.hasHandlers():
        _log.addHandler(logging.StreamHandler())


class Call:
    """One call of a hook: logged when it begins, and when it ends."""

    def __init__(self, plugin: str, hook: str, arguments: Mapping[str, object]) -> None:
        self._name = f"{plugin}: {hook}"
        shown = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
        _log.info("%s(%s)", self._name, shown)
        self._began = time.perf_counter()

    def returned(self, result: object) -> None:
        """It ended well."""
        _log.info("%s -> %s in %s", self._name, _short(result), self._time())

    def raised(self, error: BaseException) -> None:
        """It did not."""
        _log.info("%s raised %s after %s", self._name, _short(error), self._time())

    def _time(self) -> str:
        return f"{1000 * (time.perf_counter() - self._began):.3f} ms"


class _ShortRepr(Repr):
    """Structs and mappings field by field, so that a long one costs no more than a short one."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 120

    def repr1(self, x: object, level: int) -> str:
        """Show one value."""
        if isinstance(x, msgspec.Struct):
            fields = {name: getattr(x, name) for name in x.__struct_fields__}
            return f"{type(x).__name__}({self._pairs(fields, level, '{}={}')})"
        if isinstance(x, Mapping):
            return f"{{{self._pairs({str(key): value for key, value in x.items()}, level, '{}: {}')}}}"
        if isinstance(x, (bytes, bytearray, memoryview)):
            return f"<{len(x)} bytes>"
        return super().repr1(x, level)

    def _pairs(self, fields: Mapping[str, object], level: int, form: str) -> str:
        if level <= 0:
            return "…"
        shown = [
            form.format(name, _HIDDEN if _SECRET.search(name) else self.repr1(value, level - 1))
            for name, value in list(fields.items())[:20]
        ]
        return ", ".join(shown + ["…"] * (len(fields) > len(shown)))


_shown = _ShortRepr()


def _short(value: object) -> str:
    text = _shown.repr(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
