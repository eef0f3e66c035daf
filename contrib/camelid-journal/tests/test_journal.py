"""What is written down comes back by model and backend, and the file keeps its size."""

import pytest

from camelid.types.events import Outcome, Purpose, RequestFinished
from camelid.types.generation import Timings
from camelid_journal import journal as module
from camelid_journal.journal import Journal, Usage


@pytest.fixture
def journal(tmp_path) -> Journal:
    return Journal(tmp_path / "state" / "journal.sqlite")


def request(backend="fast", *, at=1e9, generated=300, seconds=1.0, outcome=Outcome.FINISHED) -> RequestFinished:
    timings = Timings(
        prompt_tokens=7, cached_tokens=2, generated_tokens=generated, generation_duration=int(seconds * 1e9)
    )
    return RequestFinished(
        at=at,
        purpose=Purpose.CHAT,
        model="m",
        digest="d",
        backend=backend,
        outcome=outcome,
        error="",
        timings=timings,
    )


def test_an_empty_journal_has_no_usage(journal):
    assert journal.usage() == []
    assert journal.fastest("m", ["fast", "slow"]) is None


def test_usage_is_summed_by_model_and_backend(journal):
    journal.add_request(request())
    journal.add_request(request(seconds=2.0))
    journal.add_request(request("slow", outcome=Outcome.CANCELLED, seconds=0.0, generated=3))
    journal.add_change(1e9, "m", "fast", "loaded")
    journal.add_change(1e9, "m", "fast", "unloaded")
    journal.add_change(1e9, "m", "slow", "killed by SIGSEGV")
    assert journal.usage() == [
        Usage("m", "fast", 2, 0, 14, 4, 600, 200.0, 1, 0),
        Usage("m", "slow", 1, 1, 7, 2, 3, 0.0, 0, 1),
    ]
    assert journal.usage(days=1) == []


def test_the_oldest_go(journal, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 3)
    for at in range(10):
        journal.add_request(request(at=at))
    assert journal.usage()[0].requests == 3


def test_the_fastest_is_chosen_only_where_two_were_measured(journal):
    journal.add_request(request("fast", seconds=1.0))
    assert journal.fastest("m", ["fast", "slow"]) is None
    journal.add_request(request("slow", seconds=3.0))
    assert journal.fastest("m", ["slow", "fast"]) == "fast"
    assert journal.fastest("m", ["slow", "other"]) is None
    assert journal.fastest("another", ["slow", "fast"]) is None
