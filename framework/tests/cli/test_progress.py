import io
import re
import time

import pytest
from rich.console import Console

from camelid.cli.messages import ProgressLine
from camelid.cli.progress import ProgressDisplay


def terminal(output: io.TextIOBase) -> Console:
    return Console(file=output, force_terminal=True, width=80, legacy_windows=False, color_system=None)  # type: ignore[arg-type]


LINES = [
    ProgressLine(status="pulling manifest"),
    ProgressLine(status="pulling 6a0746a1ec1a", digest="sha256:6a", total=1000),
    ProgressLine(status="pulling 6a0746a1ec1a", digest="sha256:6a", total=1000, completed=400),
    ProgressLine(status="pulling 6a0746a1ec1a", digest="sha256:6a", total=1000, completed=1000),
    ProgressLine(status="success"),
]


def test_a_pipe_gets_each_status_once_and_no_control_characters():
    output = io.StringIO()
    with ProgressDisplay(console=Console(file=output, width=20)) as display:
        for line in LINES:
            display.show(line)
    assert output.getvalue() == "pulling manifest\npulling 6a0746a1ec1a\nsuccess\n"


def test_a_terminal_gets_bars_and_ends_with_the_last_state():
    output = io.StringIO()
    with ProgressDisplay(console=terminal(output)) as display:
        for line in LINES:
            display.show(line)
    last = output.getvalue().splitlines()[-4:-1]
    assert "pulling manifest" in last[0]
    assert "pulling 6a0746a1ec1a: 100% ▕█" in last[1]
    assert last[1].rstrip().endswith("▏ 1 KB")
    assert "success" in last[2]


def test_a_running_transfer_shows_speed_and_time_left():
    output = io.StringIO()
    with ProgressDisplay(console=terminal(output)) as display:
        for completed in (1_000, 20_000):
            display.show(ProgressLine(status="pulling 6a07", digest="sha256:6a07", total=10**12, completed=completed))
            time.sleep(0.01)
    shown = output.getvalue()
    assert re.search(r"pulling 6a07: {3}0% ▕ +▏ 20 KB/1 TB +[\d.]+ [KM]?B/s +(\d+[hm]\d+[ms]|99h\+)", shown)


def test_what_has_no_known_end_shows_what_came_and_its_speed():
    output = io.StringIO()
    with ProgressDisplay(console=terminal(output)) as display:
        for completed in (1_000, 20_000):
            display.show(ProgressLine(status="pulling a file", completed=completed))
            time.sleep(0.01)
    assert re.search(r"pulling a file: 20 KB +[\d.]+ [KM]?B/s", output.getvalue())


def test_a_layer_without_a_byte_is_not_shown_yet():
    output = io.StringIO()
    with ProgressDisplay(console=terminal(output)) as display:
        display.show(LINES[1])
    assert "6a0746a1ec1a" not in output.getvalue()


def test_a_transient_display_says_nothing_in_a_pipe():
    output = io.StringIO()
    with ProgressDisplay(console=Console(file=output), transient=True) as display:
        display.status("loading")
    assert output.getvalue() == ""


def test_a_code_page_without_blocks_gets_ascii():
    raw = io.BytesIO()
    output = io.TextIOWrapper(raw, encoding="cp1252")
    with ProgressDisplay(console=terminal(output)) as display:
        for line in LINES:
            display.show(line)
    output.flush()
    assert "100% [###" in raw.getvalue().decode("cp1252")


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_an_error_leaves_the_cursor_visible(failure: type[BaseException]):
    output = io.StringIO()

    def interrupted() -> None:
        with ProgressDisplay(console=terminal(output)):
            raise failure

    with pytest.raises(failure):
        interrupted()
    assert output.getvalue().rstrip("\n").rfind("\x1b[?25h") > output.getvalue().rfind("\x1b[?25l")
