"""GET /metrics: what a scraper reads."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from camelid.api.metrics import _Collector, _rendered
from camelid.engine.request import RunningModel
from camelid.types.memory import MemoryUse
from camelid.types.usage import EngineUsage

LABELS = ("model", "digest", "backend", "device")


def samples(text: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *(sample.labels[label] for label in LABELS if label in sample.labels)): sample.value
        for family in families
        for sample in family.samples
    }


def model(name: str, digest: str, **usage: int) -> RunningModel:
    memory = (MemoryUse("cpu", model=5, cache=2), MemoryUse("cuda:0", model=3))
    return RunningModel(name, digest, "toy", 10, 3, 100, 0.0, usage=EngineUsage(**usage), memory=memory)


def test_numbers_of_all_models():
    models = [model("a", "d" * 64, running=2, generated_tokens=7), model("a", "e" * 64), model("b", "f" * 64)]
    text, kind = _rendered(_Collector(models, 4))
    found = samples(text.decode())
    assert kind.startswith("text/plain")
    assert found["camelid_models_loaded",] == 3
    assert found["camelid_requests_queued",] == 4
    assert found["camelid_requests_running", "a", "d" * 12, "toy"] == 2
    assert found["camelid_requests_running", "a", "e" * 12, "toy"] == 0
    assert found["camelid_tokens_generated_total", "a", "d" * 12, "toy"] == 7
    assert found["camelid_model_memory_bytes", "b", "f" * 12, "toy", "cpu"] == 7
    assert found["camelid_model_memory_bytes", "b", "f" * 12, "toy", "cuda:0"] == 3


def test_every_number_of_an_engine_is_told():
    usage = dict.fromkeys(EngineUsage.__struct_fields__, 0)
    for number, field in enumerate(usage, 1):
        usage[field] = number
    text, _ = _rendered(_Collector([model("m", "0" * 64, **usage)], 0))
    found = samples(text.decode())
    told = {
        value for (name, *_), value in found.items() if name not in ("camelid_models_loaded", "camelid_requests_queued")
    }
    assert told >= set(usage.values())


@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_answers_with_them(ollama):
    await ollama.post("/api/generate", json={"model": "echo", "prompt": "four"})
    reply = await ollama.get("/metrics")
    assert reply.status_code == 200
    found = samples(reply.text)
    assert sum(value for (name, *_), value in found.items() if name == "camelid_tokens_generated_total") >= 1
    await ollama.post("/api/generate", json={"model": "echo", "keep_alive": 0})
