"""Where in a plugin's files something went wrong."""

from pathlib import Path

__all__ = ("place_of",)


def place_of(error: BaseException, top: str) -> str:
    """Where in a plugin's own files something went wrong, as the end of half a sentence; empty if nowhere there.

    Args:
        error: as it was caught.
        top: the plugin's top-level package.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f" in {Path(error.filename).name}, line {error.lineno}"
    place, trace = "", error.__traceback__
    while trace is not None:
        if str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0] == top:
            place = f" in {Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return place
