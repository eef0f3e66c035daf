import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from camelid.cli.chat.line import MessageReader


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    with create_pipe_input() as keys:
        yield keys


@pytest.fixture
def reader(keyboard: PipeInput, tmp_path: Path) -> MessageReader:
    return MessageReader(tmp_path / "history", terminal_input=keyboard, terminal_output=DummyOutput())


def test_enter_sends(reader: MessageReader, keyboard: PipeInput):
    keyboard.send_text("hello\r")
    assert reader.read() == "hello"


def test_triple_quotes_make_enter_a_new_line(reader: MessageReader, keyboard: PipeInput):
    keyboard.send_text('"""a\rb"""\r')
    assert reader.read() == '"""a\nb"""'


def test_a_paste_of_several_lines_is_one_message(reader: MessageReader, keyboard: PipeInput):
    keyboard.send_text("\x1b[200~first\nsecond\x1b[201~\r")
    assert reader.read() == "first\nsecond"


def test_ctrl_c_clears_the_line_and_only_then_interrupts(reader: MessageReader, keyboard: PipeInput):
    keyboard.send_text("wrong\x03right\r")
    assert reader.read() == "right"
    keyboard.send_text("\x03")
    with pytest.raises(KeyboardInterrupt):
        reader.read()


def test_ctrl_d_leaves(reader: MessageReader, keyboard: PipeInput):
    keyboard.send_text("\x04")
    with pytest.raises(EOFError):
        reader.read()


def test_arrow_up_recalls_what_an_earlier_chat_typed(reader: MessageReader, keyboard: PipeInput, tmp_path: Path):
    (tmp_path / "history").write_text("older\nnewer\n")
    keyboard.send_text("\x1b[A\x1b[A\r")
    assert reader.read() == "older"
    assert (tmp_path / "history").read_text() == "older\nnewer\nolder\n"


def test_history_can_be_switched_off(reader: MessageReader, keyboard: PipeInput, tmp_path: Path):
    reader.keep_history(False)
    keyboard.send_text("secret\r")
    assert reader.read() == "secret"
    assert not (tmp_path / "history").exists()


def test_tab_completes_slash_commands(reader: MessageReader, keyboard: PipeInput):
    keyboard.send_text("/set nohi\t")
    with ThreadPoolExecutor(1) as reading:
        message = reading.submit(reader.read)
        while reader._prompt.default_buffer.text != "/set nohistory":
            time.sleep(0.01)  # completing happens in the background
        keyboard.send_text("\r")
        assert message.result() == "/set nohistory"
