"""The engine on a real upstream: many at once, leaving, limits, an upstream that is killed."""

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from camelid.errors import InvalidModelFileError, ModelError, ModelLoadError, RequestError, UnsupportedCapabilityError
from camelid.types.generation import FinishReason

LONG = "Tell me a long story. " * 50


@pytest.fixture
def computed(upstream) -> Iterator[Callable[[], float]]:
    """How many requests the upstream computes now, by its own count."""
    with httpx.Client(base_url=upstream.url) as http:

        def count() -> float:
            lines = http.get("/metrics").text.splitlines()
            return sum(float(line.split()[-1]) for line in lines if line.startswith("camelid_requests_running"))

        yield count


def test_an_answer_is_the_upstreams(drive):
    driver = drive()
    driver.submit(1, "grüezi 🦙")
    (answer,) = driver.finish().values()
    assert answer.tokens.decode() == "grüezi 🦙"
    assert answer.finish is FinishReason.STOP
    assert not driver.engine.busy


def test_more_than_fit_at_once_wait_for_a_place(drive):
    driver = drive()
    for number in range(5):
        driver.submit(number, f"number {number}")
    assert (driver.engine.usage.running, driver.engine.usage.waiting) == (2, 3)
    answers = driver.finish()
    assert {number: answer.tokens.decode() for number, answer in answers.items()} == {
        number: f"number {number}" for number in range(5)
    }


def test_the_upstreams_limit_ends_an_answer(drive):
    driver = drive()
    driver.submit(1, "0123456789", num_predict=4)
    (answer,) = driver.finish().values()
    assert (answer.tokens, answer.finish) == (b"0123", FinishReason.LENGTH)


def test_without_a_limit_the_models_own_is_asked_for(drive):
    driver = drive(max_tokens=3)
    driver.submit(1, "0123456789")
    (answer,) = driver.finish().values()
    assert (answer.tokens, answer.finish) == (b"012", FinishReason.LENGTH)


def test_an_answer_ends_where_the_context_does(drive):
    driver = drive("smollm2:135m")
    driver.submit(1, "a" * 2030, num_predict=1000, temperature=0.0)
    (answer,) = driver.finish().values()
    assert answer.error is None
    assert len(answer.tokens) <= 18


def test_who_leaves_is_told_to_the_upstream(drive, computed):
    driver = drive("slow")
    driver.submit(1, LONG, num_predict=1000)
    driver.until(lambda event: event.tokens)
    while computed() != 1:
        time.sleep(0.02)
    driver.engine.cancel(1)
    assert not driver.engine.busy
    while computed():
        time.sleep(0.02)


def test_who_leaves_makes_room_for_the_next(drive):
    driver = drive("slow")
    for number in range(3):
        driver.submit(number, LONG, num_predict=2 if number == 2 else 1000)
    assert (driver.engine.usage.running, driver.engine.usage.waiting) == (2, 1)
    driver.engine.cancel(0)
    assert (driver.engine.usage.running, driver.engine.usage.waiting) == (2, 0)
    driver.until(lambda event: event.finish and event.id == 2)
    driver.engine.cancel(1)
    assert not driver.engine.busy


def test_who_waits_may_leave_as_well(drive):
    driver = drive()
    for number in range(4):
        driver.submit(number, "a")
    driver.engine.cancel(3)
    assert set(driver.finish()) == {0, 1, 2}


@pytest.mark.parametrize(("accepts", "sure"), [(["raw", "options"], True), (["raw"], False)])
def test_options_reach_an_upstream_that_knows_them(drive, accepts, sure):
    """At this temperature a model says anything, unless it may only say what is likeliest."""
    driver = drive("smollm2:135m", accepts=accepts)
    for seed in range(4):
        driver.submit(
            seed, "word: river\n" * 5 + "word:", num_predict=2, temperature=5.0, top_k=1, top_p=1.0, seed=seed
        )
    answers = driver.finish().values()
    assert all(answer.tokens.startswith(b" river") for answer in answers) == sure


def test_an_upstream_that_is_killed_is_one_error(drive, serve, slow, monkeypatch):
    with serve() as server:
        httpx.post(f"{server.url}/api/pull", json={"model": "camelid/echo", "stream": False}, timeout=60)
        httpx.post(f"{server.url}/api/create", json=slow, timeout=60)
        monkeypatch.setenv("UPSTREAMS", f"lab={server.url}/v1")
        driver = drive("slow")
        driver.submit(1, LONG)
        driver.until(lambda event: event.tokens)
        server.process.kill()
        (answer,) = driver.finish().values()
    assert isinstance(answer.error, ModelError)
    assert str(answer.error) == f"the upstream lab at {server.url} broke off in the middle of its answer"
    driver.submit(2, "a")
    (answer,) = driver.finish().values()
    assert str(answer.error) == f"the upstream lab at {server.url} cannot be reached: see whether it runs"


def test_a_model_that_the_upstream_does_not_have(drive, upstream):
    driver = drive("nothing")
    driver.submit(1, "a")
    (answer,) = driver.finish().values()
    assert isinstance(answer.error, RequestError)
    assert "refuses the request: model 'nothing' not found" in str(answer.error)


def test_token_ids_mean_nothing_to_an_upstream(drive):
    driver = drive()
    driver.submit(1, "a", logit_bias=((97, 5.0),))
    (answer,) = driver.finish().values()
    assert isinstance(answer.error, UnsupportedCapabilityError)


def test_a_model_cannot_name_an_address(drive):
    with pytest.raises(InvalidModelFileError) as refused:
        drive(url="http://169.254.169.254")
    assert "url" in refused.value.reason
    with pytest.raises(ModelLoadError, match=r"called 'http://10\.0\.0\.1', and the variable UPSTREAMS of this server"):
        drive(upstream="http://10.0.0.1")


def test_a_wrong_option_is_named(drive):
    with pytest.raises(ModelLoadError, match="silence"):
        drive(options={"silence": 3})
