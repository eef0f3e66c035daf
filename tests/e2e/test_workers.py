"""What happens to requests when models come, go and die."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

MODEL = "smollm2:135m"
LONG = {"temperature": 0, "num_predict": 1500}


def _chat(model, text, **options):
    return {"model": model, "messages": [{"role": "user", "content": text}], "options": options}


def test_a_killed_worker_is_one_clear_error_line(start_server):
    server = start_server()
    server.pull()
    server.pull("camelid/echo")
    assert (
        server.post("/api/generate", model="camelid/echo", prompt="before", stream=False).json()["response"] == "before"
    )
    lines = []
    with server.http.stream(
        "POST", "/api/generate", json={"model": MODEL, "prompt": "Tell a story", "options": LONG}
    ) as answer:
        for line in answer.iter_lines():
            if not lines:
                (worker,) = [w for w in server.workers() if w.memory_info().rss > 120e6]
                worker.send_signal(signal.SIGKILL)
            lines.append(json.loads(line))
    assert [set(line) for line in lines if "error" in line] == [{"error"}]
    assert "error" in lines[-1]
    assert "unexpectedly stopped" in lines[-1]["error"]
    assert (
        server.post("/api/generate", model="camelid/echo", prompt="other", stream=False).json()["response"] == "other"
    )
    again = server.post("/api/generate", model=MODEL, prompt="Hi", options={"num_predict": 2}, stream=False)
    assert again.json()["eval_count"] == 2


def test_a_second_model_evicts_the_first_when_one_may_be_loaded(start_server):
    server = start_server(OLLAMA_MAX_LOADED_MODELS="1")
    server.pull()
    server.pull("camelid/echo")
    server.post("/api/generate", model=MODEL, prompt="Hi", options={"num_predict": 1}, stream=False)
    assert [model["name"] for model in server.http.get("/api/ps").json()["models"]] == [MODEL]
    server.post("/api/generate", model="camelid/echo", prompt="Hi", stream=False)
    assert [model["name"] for model in server.http.get("/api/ps").json()["models"]] == ["camelid/echo:latest"]
    assert len(server.workers()) == 1


def test_sixteen_streams_finish_distinct_and_correct(start_server):
    server = start_server(OLLAMA_NUM_PARALLEL="16", OLLAMA_CONTEXT_LENGTH="512")
    server.pull()
    words = "apple river green house music paper stone seven tiger cloud horse bread chair table night ocean".split()  # noqa: SIM905

    def repeat(word):
        prompt = f"word: {word}\n" * 5 + "word:"
        body = {"model": MODEL, "prompt": prompt, "raw": True, "options": {"temperature": 0, "num_predict": 24}}
        with server.http.stream("POST", "/api/generate", json=body) as answer:
            lines = [json.loads(line) for line in answer.iter_lines()]
        assert lines[-1]["eval_count"] == 24
        return "".join(line["response"] for line in lines)

    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(repeat, words))
    for word, answer in zip(words, answers, strict=True):
        assert answer.split().count(word) >= 3
        assert not any(other in answer for other in words if other != word)


def test_a_client_that_leaves_frees_its_sequence(start_server):
    server = start_server(OLLAMA_NUM_PARALLEL="1", OLLAMA_CONTEXT_LENGTH="4096")
    server.pull()
    endless = {"model": MODEL, "prompt": "word: apple\n" * 5 + "word:", "raw": True}
    endless["options"] = {"temperature": 0, "num_predict": -1}
    with server.http.stream("POST", "/api/generate", json=endless) as answer:
        next(answer.iter_lines())
    # The only sequence would be taken for ten contexts, minutes long; another client is served all the same.
    answer = server.post("/api/generate", model=MODEL, prompt="Hi", options={"num_predict": 1}, stream=False)
    assert answer.json()["eval_count"] == 1


def test_an_idle_model_is_unloaded_when_its_time_is_up(start_server):
    server = start_server()
    server.pull("camelid/echo")
    server.post("/api/generate", model="camelid/echo", prompt="Hi", keep_alive="200ms", stream=False)
    deadline = time.monotonic() + 20
    while server.workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.workers() == []
    assert server.http.get("/api/ps").json() == {"models": []}


def test_load_and_unload_by_empty_prompt(start_server):
    server = start_server()
    server.pull("camelid/echo")
    loaded = server.post("/api/generate", model="camelid/echo").json()
    assert (loaded["done"], loaded["done_reason"]) == (True, "load")
    assert len(server.workers()) == 1
    unloaded = server.post("/api/chat", model="camelid/echo", messages=[], keep_alive=0).json()
    assert unloaded["done_reason"] == "unload"
    deadline = time.monotonic() + 20
    while server.workers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.workers() == []


def test_a_worker_that_waits_loads_the_first_model_and_ends_with_the_server(start_server):
    server = start_server(CAMELID_SPARE_WORKER="true")
    server.pull()
    (spare,) = server.workers()
    assert spare.cmdline()[-1] == "camelid_llamacpp.backend"
    answer = server.post("/api/generate", model=MODEL, prompt="Hi", options={"num_predict": 2}, stream=False)
    assert answer.json()["eval_count"] == 2
    assert server.workers() == [spare]
    server.stop()
    assert not spare.is_running()


def test_a_worker_that_waits_and_is_killed_is_replaced(start_server):
    server = start_server(CAMELID_SPARE_WORKER="true")
    server.pull()
    (spare,) = server.workers()
    spare.kill()
    answer = server.post("/api/generate", model=MODEL, prompt="Hi", options={"num_predict": 2}, stream=False)
    assert answer.json()["eval_count"] == 2
    assert spare not in server.workers()
