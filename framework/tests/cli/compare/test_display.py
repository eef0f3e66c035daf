import io

import pytest
from rich.console import Console

from camelid.cli.compare.display import ComparisonDisplay
from camelid.cli.compare.results import Comparison
from camelid.cli.messages import CompareLine
from camelid.errors import CamelidError
from camelid.services.comparison import Compared, Loaded

LINES = (
    CompareLine(loaded=Loaded("m:latest", "one", "lib 1")),
    CompareLine(text="because [bold]"),
    CompareLine(answer=Compared("because [bold]", "stop", 5, 3, 120_000_000, 50.0, 98_000_000)),
)


def shown(*, terminal: bool) -> str:
    output = io.StringIO()
    console = Console(file=output, force_terminal=terminal, width=120, highlight=False, color_system=None)
    comparison = Comparison(("why?",))
    with ComparisonDisplay(comparison, console):
        for line in LINES:
            comparison.take(line)
    return output.getvalue()


def test_a_terminal_keeps_the_whole_table():
    text = shown(terminal=True)
    assert all(part in text for part in ("why?", "TOKENS/S", "120 ms", "m:latest on one", "because [bold]"))


def test_a_file_gets_it_once():
    text = shown(terminal=False)
    assert text.splitlines()[0] == "why?"
    assert text.count("FIRST TOKEN") == text.count("because [bold]") == 1
    assert "\x1b" not in text


def test_nothing_is_printed_of_what_broke_off():
    output = io.StringIO()
    with pytest.raises(CamelidError), ComparisonDisplay(Comparison(("why?",)), Console(file=output)):
        raise CamelidError("gone")
    assert output.getvalue() == ""
