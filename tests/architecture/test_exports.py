"""The names that plugin authors import are a promise: a change here is a decision."""

import camelid

PROMISED = (
    "API_VERSION",
    "AnswerFormat",
    "Batch",
    "BatchDecoder",
    "BatchLimits",
    "BlobSource",
    "Converter",
    "Decoder",
    "Embedder",
    "Engine",
    "EngineEvent",
    "EngineRequest",
    "HttpRequest",
    "HttpResponse",
    "KVCacheFullError",
    "LayerSource",
    "LoadedModel",
    "Media",
    "MediaSpan",
    "MediaTokenizer",
    "OutputParser",
    "Parsed",
    "Placement",
    "Ranker",
    "Registry",
    "ResolvedModel",
    "Route",
    "Sampler",
    "ScanningParser",
    "Steps",
    "ThinkingTags",
    "Tokenizer",
    "ToolCallParser",
    "__version__",
    "hookimpl",
)


def test_the_promise_is_kept():
    assert camelid.__all__ == PROMISED


def test_every_promised_name_is_there():
    assert all(getattr(camelid, name) is not None for name in PROMISED)
