"""Upstreams that misbehave, in ways in which a Camelid never does."""

import json
from collections.abc import Iterator

import pytest

from camelid.errors import ModelError, RequestError, ServerBusyError
from camelid.testing.loopback import Fault, LoopbackServer, Reply, Request

KEY = "sk-secret"


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "text": text, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\r\n\r\n"


GOOD = Reply(200, event("one ") + event("two") + event("", "stop") + b"data: [DONE]\n\n", file=True)


class Misbehaving(LoopbackServer):
    """Answers each prompt with what the test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: dict[str, Reply] = {}

    def respond(self, request: Request) -> Reply:
        prompt = json.loads(request.body)["prompt"]
        if prompt == "wait":
            self.released.wait()
        return self.replies.get(prompt, GOOD)


@pytest.fixture
def bad(monkeypatch) -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        monkeypatch.setenv("UPSTREAMS", f"lab=http://{server.host}")
        monkeypatch.setenv("UPSTREAM_KEY_LAB", KEY)
        yield server


@pytest.fixture
def ask(bad, drive):
    """The last event of one request."""

    def ask_for(reply: Reply = GOOD, **options: object):
        bad.replies["a"] = reply
        driver = drive(options=options)
        driver.submit(1, "a")
        (answer,) = driver.finish().values()
        if answer.error:
            assert f"the upstream lab at http://{bad.host} " in str(answer.error)
            assert KEY not in f"{answer.error} {answer.error.reason}"
        return answer

    return ask_for


def test_lines_may_end_as_they_like_and_the_key_is_sent(ask, bad):
    assert ask().tokens == b"one two"
    (request,) = bad.requests
    assert (request.path, request.headers["authorization"]) == ("/v1/completions", f"Bearer {KEY}")


def test_some_servers_end_with_nothing_and_send_more_than_choices(ask):
    usage = b'data: {"choices": [], "usage": {"total_tokens": 3}}\n\n'
    ending = b'data: {"choices": [{"text": null, "finish_reason": "length"}]}\n\n'
    answer = ask(Reply(200, usage + event("one", "") + ending, file=True))
    assert (answer.tokens, answer.finish) == (b"one", "length")


def test_only_what_everybody_knows_is_sent_unless_the_file_says_more(bad, drive):
    for accepts in ([], ["top_k", "repetition_penalty"]):
        driver = drive(accepts=accepts)
        driver.submit(1, "a", seed=5)
        driver.finish()
    plain, more = (json.loads(request.body) for request in bad.requests)
    known = {"model", "prompt", "stream", "max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty"}
    assert set(plain) == known | {"seed"}
    assert set(more) == set(plain) | {"top_k", "repetition_penalty"}


def test_one_that_says_nothing_holds_up_nobody(bad, drive):
    driver = drive()
    driver.submit(1, "wait")
    for number in range(2, 6):
        driver.submit(number, "a")
        (last,) = [event for event in driver.until(lambda event: event.finish) if event.finish]
        assert last.id == number
    assert driver.engine.step() == []
    assert driver.engine.busy
    driver.engine.cancel(1)
    assert not driver.engine.busy


def test_silence_has_an_end(ask, bad):
    bad.inject(Fault.STALL)
    answer = ask(silence_seconds=0.2)
    assert "said nothing for too long" in str(answer.error)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(200, event("one"), file=True), "broke off"),
        (Reply(200, b"<html>", file=True), "broke off"),
        (Reply(200, b"data: {\n\n", file=True), "broke off"),
        (Reply(200, b"data: " + b"x" * 3_000_000, file=True), "broke off"),
        (Reply(200, event("one") + b'data: {"error": {"message": "out of memory"}}\n\n', file=True), "out of memory"),
        (Reply(500, b'{"error": {"message": "no\\u001b[31m luck"}}'), "failed with HTTP status 500: no [31m luck"),
        (Reply(502, b"<html>"), "failed with HTTP status 502"),
        (Reply(307, headers={"Location": "http://127.0.0.1:1/"}), "redirects are not followed"),
        (Reply(401, f'{{"error": "wrong key {KEY}"}}'.encode()), "UPSTREAM_KEY_LAB is missing or wrong"),
    ],
)
def test_what_is_wrong_with_an_upstream_is_one_error(ask, reply, words):
    answer = ask(reply)
    assert isinstance(answer.error, ModelError)
    assert words in str(answer.error)


def test_a_connection_that_is_cut_is_one_error(ask, bad):
    bad.inject(Fault.CUT)
    assert "broke off" in str(ask().error)


def test_what_the_client_can_mend_is_told_without_the_key(ask):
    answer = ask(Reply(400, json.dumps({"error": {"message": f"too long for {KEY}"}}).encode()))
    assert isinstance(answer.error, RequestError)
    assert str(answer.error).endswith("refuses the request: too long for ***")


def test_a_busy_upstream_is_a_busy_server(ask):
    assert isinstance(ask(Reply(429, b'{"message": "slow down"}')).error, ServerBusyError)


def test_more_than_fits_is_cut(ask):
    answer = ask(Reply(200, event("x" * 900_000) * 3, file=True))
    assert answer.error is None
    assert (answer.finish, len(answer.tokens)) == ("length", 2047)


def test_nobody_listens(drive, monkeypatch):
    monkeypatch.setenv("UPSTREAMS", "lab=http://127.0.0.1:1")
    driver = drive()
    driver.submit(1, "a")
    (answer,) = driver.finish().values()
    assert str(answer.error) == "the upstream lab at http://127.0.0.1:1 cannot be reached: see whether it runs"
