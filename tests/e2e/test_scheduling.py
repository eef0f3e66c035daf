"""Scheduling (contract 16, 3.2) as clients see it. Each statement of the contract, and the test that proves it:

16.1 the queue holds OLLAMA_MAX_QUEUE requests, then 503 at once: `test_a_full_queue_is_said_in_ollamas_words`;
     requests whose model is loaded pass those that wait for a load: engine/test_waiting.py,
     `test_a_loaded_model_does_not_wait_behind_a_load`; one load at a time, in order: engine/test_pool_laws.py;
     names that share their weights share a worker: `test_two_names_of_one_file_share_a_worker`
16.2 slots, and who waits for one: engine/test_sizing.py, `test_parallel_is_four_while_the_cache_for_it_is_small`
     and engine/test_waiting.py, `test_requests_beyond_the_parallel_ones_count_as_waiting`
16.3 which options reload: `test_sampling_options_keep_the_worker`, `test_load_options_that_differ_reload`,
     `test_load_options_that_say_the_same_do_not_reload` and engine/test_sizing.py, `test_reuse_or_reload`;
     a reload waits for running requests: `test_a_reload_waits_for_the_answer_that_is_running`
16.4 and 3.2 keep-alive: `test_keep_alive_is_read_as_ollama_reads_it`, `test_zero_unloads_when_idle`,
     `test_an_idle_model_goes_when_its_time_has_come`, `test_the_last_keep_alive_given_wins`,
     `test_the_variable_says_how_long_models_stay`, `test_an_unloading_model_does_not_fail_the_next_request`
16.5 how many models, and who goes first: `test_the_model_with_the_shortest_keep_alive_goes_first` and
     engine/test_eviction.py
16.6 memory: engine/test_eviction.py, `test_running_out_of_memory_evicts_the_others_and_tries_again` and
     `test_an_automatic_context_shrinks_until_it_fits`
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

SLOW = {"backend_options": {"delay": 0.05}, "num_predict": 40}
"""An answer of two seconds, if it has enough to say."""
LONG = "echo " * 30


def prepared(server, *names: str):
    server.pull("camelid/echo")
    for name in names or ("echo",):
        server.post("/api/copy", source="camelid/echo", destination=name).raise_for_status()
    return server


@pytest.fixture(scope="module")
def server(server):
    """The server of the file, with the model `echo`; for tests that need no settings of their own."""
    return prepared(server)


def ask(server, model="echo", prompt="x", **fields):
    answer = server.post("/api/generate", model=model, prompt=prompt, stream=False, **fields)
    assert answer.is_success, answer.text
    return answer.json()


def pids(server) -> list[int]:
    return [worker.pid for worker in server.workers()]


def loaded(server) -> dict[str, dict]:
    return {model["name"]: model for model in server.http.get("/api/ps").json()["models"]}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def idle(server) -> Iterator[object]:
    """The shared server without a loaded model."""
    for name in loaded(server):
        server.post("/api/generate", model=name, keep_alive=0)
    until(lambda: not pids(server) and not loaded(server))
    return server


def test_sampling_options_keep_the_worker(idle):
    ask(idle)
    before = pids(idle)
    options = {
        "seed": 1,
        "temperature": 0.1,
        "top_k": 3,
        "top_p": 0.5,
        "min_p": 0.1,
        "typical_p": 0.9,
        "repeat_last_n": 8,
        "repeat_penalty": 1.2,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.1,
        "num_predict": 3,
        "num_keep": 2,
        "stop": ["q"],
        "mirostat": 2,
        "no_such_option": True,
    }
    for name, value in options.items():
        ask(idle, options={name: value})
    ask(idle, options=options, system="Be brief.", template="{{ .Prompt }}", think=False)
    assert pids(idle) == before


@pytest.mark.parametrize(
    "options",
    [
        {"num_ctx": 64},
        {"num_batch": 64},
        {"num_gpu": 0},
        {"main_gpu": 1},
        {"use_mmap": False},
        {"num_thread": 1},
        {"backend_options": {"tier": "engine"}},
    ],
    ids=str,
)
def test_load_options_that_differ_reload(idle, options):
    ask(idle)
    (before,) = pids(idle)
    ask(idle, options=options)
    (after,) = pids(idle)
    assert after != before
    if "num_ctx" in options:
        assert loaded(idle)["echo:latest"]["context_length"] == 64


def test_load_options_that_say_the_same_do_not_reload(idle):
    ask(idle, options={"num_ctx": 256, "num_thread": 2})
    before = pids(idle)
    for options in ({}, {"num_gpu": -1}, {"num_thread": 0}, {"num_thread": 2}, {"use_mmap": None}, {"num_batch": 512}):
        ask(idle, options={"num_ctx": 256, **options})
    ask(idle, options={"num_ctx": 256.9})
    assert pids(idle) == before
    assert loaded(idle)["echo:latest"]["context_length"] == 256


def test_a_larger_context_is_good_enough_for_who_asks_for_none(idle):
    ask(idle, options={"num_ctx": 8192})
    before = pids(idle)
    ask(idle)
    assert pids(idle) == before
    assert loaded(idle)["echo:latest"]["context_length"] == 8192


def test_a_reload_waits_for_the_answer_that_is_running(idle):
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, idle, prompt=LONG, options=SLOW)
        until(lambda: bool(pids(idle)) and "echo:latest" in loaded(idle))
        other = ask(idle, options={"num_ctx": 64})
        assert slow.done()
        assert len(slow.result()["response"]) == SLOW["num_predict"]
    assert other["response"]


def test_two_names_of_one_file_share_a_worker(idle):
    idle.post("/api/copy", source="echo", destination="second").raise_for_status()
    idle.post("/api/create", model="third", **{"from": "echo"}, system="Be brief.", stream=False).raise_for_status()
    ask(idle)
    before = pids(idle)
    ask(idle, model="second")
    ask(idle, model="third")
    assert pids(idle) == before
    assert list(loaded(idle)) == ["echo:latest"]


@pytest.mark.parametrize(
    ("keep_alive", "seconds"),
    [(600, 600), (0.5e3, 500), ("1h30m", 5400), ("1.5h", 5400), ("20m", 1200), (-1, None), ("-1s", None), (None, 300)],
)
def test_keep_alive_is_read_as_ollama_reads_it(idle, keep_alive, seconds):
    ask(idle, keep_alive=keep_alive)
    expires = datetime.fromisoformat(loaded(idle)["echo:latest"]["expires_at"])
    left = (expires - datetime.now(expires.tzinfo)).total_seconds()
    if seconds is None:
        assert expires.year > 2300
    else:
        assert seconds - 60 < left <= seconds


@pytest.mark.parametrize(
    ("keep_alive", "error"),
    [
        ("300", 'time: missing unit in duration "300"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("soon", 'time: invalid duration "soon"'),
    ],
)
def test_text_without_a_unit_is_no_duration(idle, keep_alive, error):
    answer = idle.post("/api/generate", model="echo", prompt="x", keep_alive=keep_alive)
    assert (answer.status_code, answer.json()) == (400, {"error": error})


@pytest.mark.parametrize("keep_alive", [0, "0", "0s"])
def test_zero_unloads_when_idle(idle, keep_alive):
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, idle, prompt=LONG, options=SLOW)
        until(lambda: bool(pids(idle)) and "echo:latest" in loaded(idle))
        ask(idle, keep_alive=keep_alive, options={"backend_options": SLOW["backend_options"], "num_predict": 1})
        assert len(slow.result()["response"]) == SLOW["num_predict"]
    until(lambda: not pids(idle) and not loaded(idle))


def test_an_idle_model_goes_when_its_time_has_come(idle):
    ask(idle, keep_alive=0.3)
    until(lambda: not pids(idle) and not loaded(idle))


def test_the_last_keep_alive_given_wins(idle):
    ask(idle, keep_alive="1h")
    ask(idle)
    assert len(loaded(idle)) == 1
    expires = datetime.fromisoformat(loaded(idle)["echo:latest"]["expires_at"])
    assert (expires - datetime.now(expires.tzinfo)).total_seconds() > 3000
    ask(idle, keep_alive=0)
    until(lambda: not pids(idle))


def test_an_unloading_model_does_not_fail_the_next_request(idle):
    for _ in range(3):
        ask(idle, keep_alive=0)
        assert ask(idle)["response"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: ask(idle, keep_alive=number % 2 * 60), range(12)))
    assert all(answer["done_reason"] == "stop" for answer in answers)


def test_a_deleted_model_answers_to_its_end(idle):
    """Contract 7.5: deleting unloads nothing."""
    idle.post("/api/copy", source="echo", destination="doomed").raise_for_status()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(ask, idle, model="doomed", prompt=LONG, options=SLOW)
        until(lambda: bool(pids(idle)) and "doomed:latest" in loaded(idle))
        assert idle.http.request("DELETE", "/api/delete", json={"model": "doomed"}).status_code == 200
        assert len(slow.result()["response"]) == SLOW["num_predict"]
    assert list(loaded(idle)) == ["doomed:latest"]
    gone = idle.post("/api/generate", model="doomed", prompt="x")
    assert (gone.status_code, gone.json()) == (404, {"error": "model 'doomed' not found"})


@pytest.mark.parametrize(("value", "stays"), [("0", False), ("-1", True), ("600", True), ("nonsense", True)])
def test_the_variable_says_how_long_models_stay(start_server, value, stays):
    server = prepared(start_server(OLLAMA_KEEP_ALIVE=value))
    ask(server)
    if stays:
        assert list(loaded(server)) == ["echo:latest"]
        assert (datetime.fromisoformat(loaded(server)["echo:latest"]["expires_at"]).year > 2300) is (value == "-1")
    else:
        until(lambda: not pids(server))


def test_a_full_queue_is_said_in_ollamas_words(start_server):
    server = prepared(start_server(OLLAMA_MAX_QUEUE="1", OLLAMA_NUM_PARALLEL="1"))
    ask(server, options={"backend_options": SLOW["backend_options"], "num_predict": 1})

    def post(_number: int):
        return server.post("/api/generate", model="echo", prompt=LONG, stream=False, options=SLOW)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(post, range(6)))
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(refused) == 4
    assert {answer.text for answer in refused} == {
        '{"error":"server busy, please try again.  maximum pending requests exceeded"}'
    }
    assert sorted(answer.status_code for answer in answers)[:2] == [200, 200]


def test_the_model_with_the_shortest_keep_alive_goes_first(start_server):
    server = prepared(start_server(OLLAMA_MAX_LOADED_MODELS="2"))
    for number in range(3):
        content = b'{"camelid_backend": "echo", "number": %d}' % number
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        server.http.post(f"/api/blobs/{digest}", content=content).raise_for_status()
        server.post("/api/create", model=f"m{number}", files={"x": digest}, stream=False).raise_for_status()
    ask(server, model="m0", keep_alive="1h")
    ask(server, model="m1", keep_alive="10m")
    ask(server, model="m0")
    ask(server, model="m2", keep_alive="20m")
    assert set(loaded(server)) == {"m0:latest", "m2:latest"}
    ask(server, model="m1", keep_alive="2h")
    assert set(loaded(server)) == {"m0:latest", "m1:latest"}
