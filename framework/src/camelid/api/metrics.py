"""GET /metrics, for Prometheus and whatever else reads its format. Ollama has none."""

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from litestar import Response, get

from camelid.api.description import Description
from camelid.api.request import ApiServices
from camelid.engine.request import RunningModel

if TYPE_CHECKING:
    from prometheus_client import Metric

__all__ = ("metrics",)

_GAUGES: Final = {
    "running": ("camelid_requests_running", "Requests that are computed now."),
    "waiting": ("camelid_requests_waiting", "Requests that wait for a place in a loaded model."),
    "cells": ("camelid_kv_cache_tokens", "Tokens that the KV cache can hold."),
    "cells_used": ("camelid_kv_cache_tokens_used", "Tokens that the KV cache holds."),
    "prefix_memory": ("camelid_prefix_memory_bytes", "Host memory that prompts may take which left the KV cache."),
    "prefix_memory_used": ("camelid_prefix_memory_used_bytes", "Host memory that they take."),
    "prefix_disk": ("camelid_prefix_disk_bytes", "Files that prompts of all models may take."),
    "prefix_disk_used": ("camelid_prefix_disk_used_bytes", "Files that prompts of this model take."),
}
_COUNTERS: Final = {
    "prompt_tokens": ("camelid_prompt_tokens_computed", "Prompt tokens that were computed."),
    "cached_tokens": ("camelid_prompt_tokens_cached", "Prompt tokens that did not have to be computed."),
    "generated_tokens": ("camelid_tokens_generated", "Tokens that were generated."),
    "guessed_tokens": ("camelid_tokens_guessed", "Tokens that were guessed ahead."),
    "accepted_tokens": ("camelid_tokens_guessed_right", "Guesses that were right."),
    "preemptions": ("camelid_preemptions", "Times that a request stepped back from a full KV cache."),
}
"""Fields of `EngineUsage`, and what they are called here. Counters begin anew with each load of a model."""
_LABELS: Final = ("model", "digest", "backend")
"""The digest, too: a model that is made anew has its old name, and for a while both are in memory."""


@get("/metrics", opt={"description": Description(text=True)})
async def metrics(services: ApiServices) -> Response[bytes]:
    """Tell how much the loaded models hold and have done."""
    text, kind = await asyncio.to_thread(_rendered, _Collector(services.pool.running(), services.pool.queued))
    return Response(text, headers={"content-type": kind})


def _rendered(collector: "_Collector") -> tuple[bytes, str]:
    """The text, and its media type."""
    from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest  # noqa: PLC0415 - most never ask

    return generate_latest(collector), CONTENT_TYPE_LATEST


class _Collector:
    """One answer's numbers, in the form that the library writes."""

    def __init__(self, models: Iterable[RunningModel], queued: int) -> None:
        self._models = list(models)
        self._queued = queued

    def collect(self) -> "Iterator[Metric]":
        """All metrics."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - as above

        yield GaugeMetricFamily("camelid_models_loaded", "Models in memory.", value=len(self._models))
        yield GaugeMetricFamily("camelid_requests_queued", "Requests that wait for a model.", value=self._queued)
        memory = GaugeMetricFamily("camelid_model_memory_bytes", "Memory of a model.", labels=(*_LABELS, "device"))
        for model in self._models:
            for use in model.memory:
                memory.add_metric((*_labels(model), use.device), use.total)
        yield memory
        for family, fields in ((GaugeMetricFamily, _GAUGES), (CounterMetricFamily, _COUNTERS)):
            for field, (name, meaning) in fields.items():
                metric = family(name, meaning, labels=_LABELS)
                for model in self._models:
                    metric.add_metric(_labels(model), getattr(model.usage, field))
                yield metric


def _labels(model: RunningModel) -> tuple[str, ...]:
    return model.name, model.digest[:12], model.backend
