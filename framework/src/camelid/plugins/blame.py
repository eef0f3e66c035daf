"""Where in a plugin's files something went wrong."""

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import TracebackType

from camelid.hookspecs import PROJECT

__all__ = ("place_of", "raised_outside")


def place_of(error: BaseException, top: str) -> str:
    """Where in a plugin's own files something went wrong, as the end of half a sentence; empty if nowhere there.

    Args:
        error: as it was caught.
        top: the plugin's top-level package.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f" in {Path(error.filename).name}, line {error.lineno}"
    place = ""
    for trace in _frames(error):
        if _package(trace) == top:
            place = f" in {Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"
    return place


def raised_outside(error: BaseException) -> str:
    """What an exception is and where it was, if it came out of a plugin's code that the framework called: `raised
    NameError in engine.py, line 7`; empty if no plugin had to do with it.
    """
    plugins = {entry.module.partition(".")[0] for entry in metadata.entry_points(group=PROJECT)}
    top = next((package for package in map(_package, _frames(error)) if package in plugins), "")
    return f"raised {type(error).__name__}{place_of(error, top)}" if top else ""


def _package(trace: TracebackType) -> str:
    """The top-level package of a frame's code."""
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]


def _frames(error: BaseException) -> Iterator[TracebackType]:
    """From where the exception was caught to where it was raised."""
    trace = error.__traceback__
    while trace is not None:
        yield trace
        trace = trace.tb_next
