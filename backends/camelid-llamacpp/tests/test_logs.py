"""The log of a native library."""

import logging

import pytest

from camelid_llamacpp.logs import NativeLog

DEBUG, INFO, WARNING, ERROR, CONTINUED = 1, 2, 3, 4, 5


@pytest.fixture
def log() -> NativeLog:
    """One that llama.cpp does not know of."""
    return NativeLog()


def test_complaints_are_kept_until_taken(log):
    log._receive(INFO, b"loading\n", None)
    log._receive(WARNING, b"odd\n", None)
    log._receive(ERROR, b"broken\n", None)
    assert log.take_complaints() == "odd; broken"
    assert log.take_complaints() == ""


def test_pieces_of_a_line_are_joined(log):
    log._receive(ERROR, b"half", None)
    log._receive(CONTINUED, b" and half", None)
    log._receive(CONTINUED, b"\n", None)
    assert log.take_complaints() == "half and half"


def test_bytes_that_are_no_text_do_no_harm(log):
    log._receive(ERROR, b"\xff\xfe\n", None)
    assert log.take_complaints() == "\ufffd\ufffd"


def test_allocations_are_kept_until_taken(log):
    log._receive(INFO, b"x: CPU KV buffer size = 1.00 MiB\n", None)
    (buffer,) = log.take_buffers()
    assert buffer.size == 2**20
    assert log.take_buffers() == ()


def test_a_follower_gets_each_piece(log):
    pieces: list[str] = []
    with log.followed_by(pieces.append):
        log._receive(INFO, b"[ 1/ 2] a, ", None)
        log._receive(INFO, b"size = 1\n", None)
    log._receive(INFO, b"later\n", None)
    assert pieces == ["[ 1/ 2] a, ", "size = 1\n"]


def test_what_a_follower_raises_ends_the_following(log):
    heard: list[str] = []

    def fail(piece: str) -> None:
        heard.append(piece)
        raise ValueError(piece)

    def follow() -> None:
        with log.followed_by(fail):
            log._receive(ERROR, b"first\n", None)
            log._receive(INFO, b"second\n", None)

    with pytest.raises(ValueError, match="first"):
        follow()
    assert heard == ["first\n"]
    assert log.take_complaints() == "first"


def test_lines_go_to_logging_except_those_about_single_tensors(log, caplog):
    caplog.set_level(logging.DEBUG, "camelid_llamacpp")
    log._receive(DEBUG, b"tensor\n", None)
    log._receive(INFO, b"model\n", None)
    assert caplog.messages == ["model"]


def test_loading_prints_nothing(load, capfd):
    load().close()
    assert capfd.readouterr() == ("", "")
