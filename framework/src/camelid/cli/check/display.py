"""What `camelid check` shows: a line while it works, then a table, then what failed."""

from collections import Counter
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from camelid.testing.outcomes import Outcome
from camelid.testing.report import Finding
from camelid.testing.runner import proves
from camelid.types.capabilities import Capability

__all__ = ("Display",)

_HEADS = {
    Outcome.PASSED: ("PASS", "green"),
    Outcome.REFUSED: ("REFUSED", "cyan"),
    Outcome.XFAILED: ("XFAIL", "yellow"),
    Outcome.NOT_RUN: ("NOT RUN", "yellow"),
    Outcome.FAILED: ("FAIL", "bold red"),
}
_DUTIES = "every backend's duties"


class Display:
    """Progress on stderr, the report on stdout."""

    def __init__(self) -> None:
        self._out = Console(highlight=False)
        self._status = Status("loading the model", console=Console(stderr=True))

    def __enter__(self) -> Self:
        """Begin to show progress."""
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        """No more progress."""
        self._status.stop()

    def progress(self, done: int, last: Finding) -> None:
        """So many cases have ended, this one last."""
        self._status.update(f"{done} cases, the last: {last.title} {_HEADS[last.outcome][0]}")

    def report(self, title: str, findings: Sequence[Finding]) -> None:
        """All of it."""
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        table.add_column("CAPABILITY")
        for head, style in _HEADS.values():
            table.add_column(head, justify="right", style=style)
        for needs in (None, *Capability):
            counts = Counter(found.outcome for found in findings if found.needs is needs)
            if counts:
                table.add_row(needs or _DUTIES, *(str(counts[outcome] or "") for outcome in _HEADS))
        self._out.print(table)
        for found in findings:
            if found.outcome in (Outcome.FAILED, Outcome.NOT_RUN, Outcome.XFAILED):
                self._tell(found)

    def tell_unproven(self, capabilities: Sequence[Capability]) -> None:
        """What the descriptor promises and this model cannot do: another model has to prove it."""
        if capabilities:
            names = ", ".join(capability.value for capability in capabilities)
            sentence = f"\nNot proven, for the model does not declare what the descriptor promises: {names}"
            self._out.print(sentence, soft_wrap=True)

    def _tell(self, found: Finding) -> None:
        """A case that did not pass, and where to look."""
        head, style = _HEADS[found.outcome]
        self._out.print()
        self._out.print(Text.assemble((head, style), f" {found.title}"))
        self._out.print(Text(found.reason), soft_wrap=True)
        if found.outcome is Outcome.FAILED:
            self._out.print(Text(proves(found.case), style="dim"), soft_wrap=True)
