"""Files that commands write at their end."""

import os
from pathlib import Path

import click

__all__ = ("ReportFile",)


class ReportFile(click.Path):
    """A file that is written when the work is done, which may take minutes: whether it can be is seen before it."""

    def __init__(self, *, allow_dash: bool = False) -> None:
        """`allow_dash` lets `-` stand for stdout."""
        super().__init__(path_type=Path, dir_okay=False, writable=True, allow_dash=allow_dash)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The path; a usage error if its folder is not there, or not this user's to write to."""
        path = super().convert(value, param, ctx)
        folder = Path(value).parent
        to_stdout = self.allow_dash and str(value) == "-"
        if not to_stdout and not os.access(folder, os.W_OK | os.X_OK):
            self.fail(f"{str(folder)!r} is no folder that this user can write to.", param, ctx)
        return path
