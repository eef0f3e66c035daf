"""The worker as a real child process."""

import random
import signal
import subprocess
import sys

import msgspec
import pytest

from camelid.types.generation import FinishReason
from camelid.wire.framing import encode, with_length
from camelid.wire.messages import (
    Cancel,
    Detokenize,
    Embed,
    Embedded,
    Failed,
    Fault,
    Goodbye,
    Ready,
    Shutdown,
    Text,
    Tokenize,
    Tokens,
)


@pytest.mark.parametrize("tier", ["decoder", "batch", "engine"])
def test_a_life(worker, starts, ask, tier):
    child = worker()
    child.send(starts.echo(backend={"tier": tier}))
    ready = child.next()
    assert isinstance(ready, Ready)
    assert (ready.facts.architecture, ready.backend) == ("echo", "echo")
    assert ready.load_duration > 0
    child.send(ask(1, "Grüße, 🦙!"))
    deltas = child.until_end(1)
    assert "".join(delta.text for delta in deltas) == "Grüße, 🦙!"
    assert sum(delta.tokens for delta in deltas) == len("Grüße, 🦙!".encode())
    child.send(Tokenize(2, "a", add_special=False), Detokenize(3, (97, 98)), Embed(4, ("ab",)))
    assert child.next() == Tokens(2, (97,))
    assert child.next() == Text(3, "ab")
    assert isinstance(child.next(), Embedded)
    child.send(Shutdown())
    assert child.end() == (0, [Goodbye()], "")


def test_the_server_is_gone(worker, starts):
    child = worker()
    child.send(starts.echo())
    child.next()
    child.process.stdin.close()
    assert child.end() == (0, [], "")


def test_the_server_is_gone_in_the_middle_of_an_answer(worker, starts, ask):
    child = worker()
    child.send(starts.echo(backend={"delay": 0.05}), ask(1, "a" * 150))
    child.next()
    child.next()
    child.process.stdin.close()
    status, rest, _ = child.end()
    assert status == 0
    assert len(rest) < 100


def test_nobody_reads_any_more(worker, starts, ask):
    child = worker()
    child.send(starts.echo(backend={"delay": 0.01}), ask(1, "a" * 150))
    child.next()
    child.process.stdout.close()
    assert child.process.wait() == 0


def test_interrupts_are_for_the_server(worker, starts, ask):
    child = worker()
    child.send(starts.echo())
    child.next()
    child.process.send_signal(signal.SIGINT)
    child.send(ask(1, "still here"))
    assert "".join(delta.text for delta in child.until_end(1)) == "still here"


def test_what_libraries_print_disturbs_nothing(worker, starts, ask):
    child = worker()
    child.send(starts.trouble(), ask(1, "abc"), Shutdown())
    status, messages, errors = child.end()
    assert status == 0
    assert [type(message) for message in messages] == [Ready, Goodbye]
    assert "a library greets on standard output\n" in errors
    assert "and Python too\n" in errors


def test_everything_is_closed_in_order(worker, starts, ask):
    child = worker()
    child.send(starts.trouble("close"), ask(1, "abc"))
    child.next()
    deltas = child.until_end(1)
    assert ("".join(delta.text for delta in deltas), deltas[-1].finish) == ("xxxxxxxx", FinishReason.STOP)
    child.send(Shutdown())
    status, messages, errors = child.end()
    assert (status, messages) == (0, [Goodbye()])
    assert errors.index("decoder closed") < errors.index("ZeroDivisionError: close") < errors.index("model closed")


def test_a_model_that_cannot_be_loaded(worker, starts):
    child = worker()
    child.send(starts.trouble("load"))
    status, [failed], _ = child.end()
    assert status == 1
    assert (failed.id, failed.fault.kind, failed.fault.message) == (0, "ModelLoadError", "cannot load this")
    assert (failed.fault.reason, failed.fault.plugin) == ("told so", "troublemaker")


def test_a_backend_that_breaks_while_loading(worker, starts):
    child = worker()
    child.send(starts.trouble("facts"))
    status, [failed], errors = child.end()
    assert status == 1
    assert (failed.id, failed.fault.reason) == (0, "ZeroDivisionError: facts")
    assert failed.fault.plugin == "troublemaker"
    assert "Traceback" in errors
    assert "model closed" in errors


def test_a_crash_in_native_code_leaves_a_trace(worker, starts):
    child = worker()
    child.send(starts.trouble("segfault"))
    status, messages, errors = child.end()
    assert status == -signal.SIGSEGV
    assert messages == []
    assert "camelid_load_model" in errors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"plugin": "missing"}, "the plugin 'missing' is broken"),
        ({"protocol": 99}, "server and worker are of different versions"),
    ],
)
def test_a_start_that_cannot_be_followed(worker, starts, change, message):
    child = worker()
    child.send(msgspec.structs.replace(starts.echo(), **change))
    status, [failed], _ = child.end()
    assert status == 1
    assert failed.id == 0
    assert message in failed.fault.message


def test_a_first_message_that_is_no_start(worker, ask):
    child = worker()
    child.send(ask(1, "hello"))
    status, [failed], _ = child.end()
    assert (status, failed.id, failed.fault.kind) == (1, 0, "ProtocolError")


def test_frames_that_are_no_messages_do_no_harm(worker, starts, ask):
    child = worker()
    child.send(starts.echo())
    child.next()
    chance = random.Random(5)
    for size in (0, 1, 2, 3, 10, 100, 5000) * 5:
        child.write(with_length(chance.randbytes(size)))
    child.write(with_length(msgspec.msgpack.encode(["Submit", 7, 3.5])))
    child.write(with_length(msgspec.msgpack.encode(["Unheard", 8])))
    child.write(with_length(msgspec.msgpack.encode(["Submit", True])))
    child.write(with_length(encode(Failed(9, Fault("CamelidError", "not for a worker")))))
    child.send(Cancel(12345), Tokenize(1, "still here", add_special=False))
    messages = [child.next() for _ in range(4)]
    assert sorted(message.id for message in messages if isinstance(message, Failed)) == [7, 8, 9]
    assert Tokens(1, tuple(b"still here")) in messages
    child.send(Shutdown())
    status, _, errors = child.end()
    assert status == 0
    assert "cannot read" in errors


def test_bytes_that_are_no_frames_end_the_worker(worker, starts):
    child = worker()
    child.send(starts.echo())
    child.next()
    child.write(b"\xff" * 1000)
    status, [failed], errors = child.end()
    assert (status, failed.id, failed.fault.kind) == (76, 0, "ProtocolError")
    assert "nonsense" in errors


def test_a_broken_loop_says_why_and_ends(worker, starts, ask):
    child = worker()
    child.send(starts.trouble("step"), ask(99, "abc"))
    status, messages, errors = child.end()
    assert status == 70
    assert [type(message) for message in messages] == [Ready, Failed]
    assert (messages[1].id, messages[1].fault.reason) == (0, "ZeroDivisionError: even cancelling fails")
    assert "Traceback" in errors


def test_no_web_framework_is_loaded_in_a_worker():
    forbidden = "litestar|httpx|uvicorn|rich|click|prompt_toolkit|jinja2"
    code = f"import sys, re, camelid.worker.loop; print([m for m in sys.modules if re.match('({forbidden})', m)])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"
