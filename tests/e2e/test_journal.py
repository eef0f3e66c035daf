"""The journal of contrib on a real server: every hook for observing, choosing, routes and commands at work."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from camelid.types.events import Outcome, Purpose, RequestFinished
from camelid.types.generation import Timings

ECHO = "camelid/echo"
SMOL = "smollm2:135m"


@pytest.fixture
def journal(tmp_path, monkeypatch):
    """Environment of a server and of commands that have the journal installed, with a state folder of their own."""
    source = str(Path(__file__).parents[2] / "contrib" / "camelid-journal" / "src")
    info = tmp_path / "installed" / "camelid_journal-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: camelid-journal\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[camelid]\njournal = camelid_journal.plugin\n")
    monkeypatch.syspath_prepend(source)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((source, str(info.parent))))


def until(condition):
    """What a condition gives as soon as that is something: observers hear of events a little later."""
    end = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def test_requests_are_written_down_without_their_words(journal, start_server, tmp_path):
    server = start_server(CAMELID_ROUTES="journal")
    server.pull(ECHO)
    messages = [{"role": "user", "content": "a secret"}]
    assert server.post("/api/chat", model=ECHO, messages=messages, stream=False).status_code == 200
    assert server.post("/api/embed", model=ECHO, input="a secret").status_code == 200
    slow = {"backend_options": {"delay": 0.05}}
    with server.http.stream(
        "POST", "/api/generate", json={"model": ECHO, "prompt": "secret " * 9, "options": slow}
    ) as a:
        next(a.iter_lines())
    assert server.post("/api/embed", model=ECHO, input="word " * 9999, truncate=False).status_code == 400

    (row,) = until(lambda: [row for row in server.http.get("/journal").json()["usage"] if row["requests"] == 4])
    assert (row["model"], row["backend"], row["not_finished"]) == ("camelid/echo:latest", "echo", 2)
    assert row["generated_tokens"] > len("a secret")
    assert row["loads"] == 2  # the last request takes the model as it is
    assert server.http.get("/journal?days=many").json() == {"error": "days must be a number, not 'many'"}

    run = subprocess.run(
        [sys.executable, "-m", "camelid", "journal", "--json"], capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout) == server.http.get("/journal?days=1").json()["usage"]
    run = subprocess.run([sys.executable, "-m", "camelid", "journal"], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[1].split()[:3] == ["camelid/echo:latest", "echo", "4"]
    assert not [path for path in (tmp_path / "state").rglob("*") if path.is_file() and b"secret" in path.read_bytes()]


@pytest.mark.model
def test_a_model_goes_to_the_backend_that_was_faster(journal, start_server):
    from camelid_journal.journal import Journal

    for backend, seconds in (("llamacpp", 9), ("ctransformers", 3)):
        timings = Timings(generated_tokens=300, generation_duration=int(seconds * 1e9))
        Journal().add_request(
            RequestFinished(
                at=time.time(),
                purpose=Purpose.CHAT,
                model=SMOL,
                digest="",
                backend=backend,
                outcome=Outcome.FINISHED,
                timings=timings,
            )
        )
    server = start_server()
    server.pull(SMOL)
    body = {"model": SMOL, "prompt": "Hi", "options": {"num_predict": 2}, "stream": False}
    assert server.http.post("/api/generate", json=body).status_code == 200
    (row,) = server.http.get("/api/ps").json()["models"]
    assert (row["backend"], row["backend_reason"]) == ("ctransformers", "the plugin journal chose it")
    shown = server.post("/api/show", model=SMOL).json()
    assert "the plugin journal chose it" in json.dumps(shown)
