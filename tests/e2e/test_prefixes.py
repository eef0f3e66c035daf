"""What a server remembers of prompts: beyond a restart, for whom, and what it says of it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

MODEL = "smollm2:135m"
STORY = " ".join(f"Item {number} of the list is a thing of its own." for number in range(40))


def numbers(server, name: str) -> dict[str, float]:
    """A metric's values by model."""
    families = text_string_to_metric_families(server.http.get("/metrics").text)
    samples = (sample for family in families for sample in family.samples if sample.name == name)
    return {sample.labels.get("model", ""): sample.value for sample in samples}


def ask(server, prompt=STORY, *, key="", **fields):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {
        "model": MODEL,
        "prompt": prompt,
        "raw": True,
        "stream": False,
        "options": {"temperature": 0, "num_predict": 8},
    }
    answer = server.http.post("/api/generate", json={**body, **fields}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_prompt_is_remembered_after_unloading_and_after_a_restart(start_server):
    server = start_server(CAMELID_PREFIX_DISK=str(200 << 20))
    server.pull()
    first = ask(server)
    assert numbers(server, "camelid_prompt_tokens_cached_total")[MODEL] == 0
    for restart in (False, True):
        ask(server, "", keep_alive=0)
        if restart:
            server.stop()
            server = start_server(CAMELID_PREFIX_DISK=str(200 << 20))
        again = ask(server)
        assert again["response"] == first["response"]
        assert again["prompt_eval_count"] == first["prompt_eval_count"] > 400
        assert numbers(server, "camelid_prompt_tokens_cached_total")[MODEL] == first["prompt_eval_count"] - 1
        (row,) = server.http.get("/api/ps").json()["models"]
        assert row["cache"]["disk"] == 200 << 20
        assert row["cache"]["disk_used"] > 1_000_000
    assert list(server.models.glob(".camelid/prefixes/*/*/*.prefix"))


def test_nothing_is_written_unless_it_is_wanted(start_server):
    server = start_server()
    server.pull()
    ask(server)
    ask(server, "", keep_alive=0)
    assert not (server.models / ".camelid" / "prefixes").exists()


@pytest.mark.parametrize(("shares", "cached"), [("true", 2), ("false", 1)])
def test_keys_share_prompts_unless_they_shall_not(start_server, shares, cached):
    server = start_server(CAMELID_SHARE_PREFIXES=shares)
    server.pull()
    answers = [ask(server, key=key) for key in ("hers", "hers", "his")]
    assert len({answer["response"] for answer in answers}) == 1
    reused = cached * (answers[0]["prompt_eval_count"] - 1)
    assert numbers(server, "camelid_prompt_tokens_cached_total") == {MODEL: reused}


def test_what_a_model_holds_is_told(start_server):
    server = start_server(OLLAMA_NUM_PARALLEL="2", OLLAMA_CONTEXT_LENGTH="1024", CAMELID_PREFIX_MEMORY="1000000")
    server.pull()
    answer = ask(server)
    (row,) = server.http.get("/api/ps").json()["models"]
    held = answer["prompt_eval_count"] + answer["eval_count"]
    assert row["cache"]["tokens"] == 2048
    assert held - 1 <= row["cache"]["tokens_used"] <= held
    assert row["cache"]["memory"] == 1_000_000
    assert (row["cache"]["memory_used"], row["cache"]["disk"], row["cache"]["disk_used"]) == (0, 0, 0)
    assert numbers(server, "camelid_prompt_tokens_computed_total") == {MODEL: answer["prompt_eval_count"]}
    assert numbers(server, "camelid_tokens_generated_total") == {MODEL: answer["eval_count"]}
    assert numbers(server, "camelid_model_memory_bytes") == {MODEL: row["size"]}
    assert numbers(server, "camelid_models_loaded") == {"": 1}
    assert server.http.get("/metrics").headers["content-type"].startswith("text/plain; version=")
