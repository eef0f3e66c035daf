from collections.abc import Generator

import pytest

from camelid.cli.answer import Display, print_answer
from camelid.cli.messages import AnswerLine
from camelid.errors import CamelidError
from camelid.types.messages import Message


class Stream:
    """Lines of a server, and whether the reader closed them."""

    def __init__(self, *lines: AnswerLine | BaseException) -> None:
        self.lines = lines
        self.closed = False

    def read(self) -> Generator[AnswerLine, None, None]:
        try:
            for line in self.lines:
                if isinstance(line, BaseException):
                    raise line
                yield line
        finally:
            self.closed = True


LAST = AnswerLine(done=True, total_duration=5_000_000_000)


def test_pieces_are_joined_and_the_answer_ends_its_line(capsys: pytest.CaptureFixture[str]):
    answer = print_answer(Stream(AnswerLine(response="Hel"), AnswerLine(response="lo"), LAST).read(), Display())
    assert capsys.readouterr() == ("Hello\n\n", "")
    assert (answer.content, answer.last) == ("Hello", LAST)


def test_thinking_stands_between_two_marks(capsys: pytest.CaptureFixture[str]):
    lines = (
        AnswerLine(message=Message("assistant", thinking="Hm")),
        AnswerLine(message=Message("assistant", thinking=".")),
        AnswerLine(message=Message("assistant", "Yes")),
        LAST,
    )
    answer = print_answer(Stream(*lines).read(), Display())
    assert capsys.readouterr().out == "Thinking...\nHm.\n...done thinking.\n\nYes\n\n"
    assert (answer.content, answer.thinking) == ("Yes", "Hm.")


def test_thinking_that_ends_its_line_gets_no_empty_one(capsys: pytest.CaptureFixture[str]):
    print_answer(Stream(AnswerLine(thinking="Hm.\n"), AnswerLine(response="Yes"), LAST).read(), Display())
    assert capsys.readouterr().out == "Thinking...\nHm.\n...done thinking.\n\nYes\n\n"


def test_an_empty_answer_is_an_answer(capsys: pytest.CaptureFixture[str]):
    print_answer(Stream(LAST).read(), Display())
    assert capsys.readouterr().out == "\n\n"


def test_hidden_thinking_is_remembered_but_not_shown(capsys: pytest.CaptureFixture[str]):
    lines = (AnswerLine(thinking="Hm."), AnswerLine(response="Yes"), LAST)
    answer = print_answer(Stream(*lines).read(), Display(thinking=False))
    assert capsys.readouterr().out == "Yes\n\n"
    assert answer.thinking == "Hm."


def test_verbose_prints_timings_on_stderr(capsys: pytest.CaptureFixture[str]):
    print_answer(Stream(AnswerLine(response="Hi"), LAST).read(), Display(verbose=True))
    assert capsys.readouterr() == ("Hi\n\n", "total duration:       5s\n")


def test_ctrl_c_closes_the_stream_and_keeps_what_was_printed(capsys: pytest.CaptureFixture[str]):
    stream = Stream(AnswerLine(response="Once upon"), KeyboardInterrupt())
    answer = print_answer(stream.read(), Display(verbose=True))
    assert capsys.readouterr() == ("Once upon\n\n", "")
    assert (answer.content, answer.last, stream.closed) == ("Once upon", None, True)


def test_an_error_in_the_middle_ends_the_line_first(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CamelidError, match="the worker died"):
        print_answer(Stream(AnswerLine(response="Once"), CamelidError("the worker died")).read(), Display())
    assert capsys.readouterr().out == "Once\n\n"


def test_an_error_at_once_prints_nothing(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(CamelidError):
        print_answer(Stream(CamelidError("no")).read(), Display())
    assert capsys.readouterr().out == ""
