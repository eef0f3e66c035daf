import inspect

import msgspec
import pytest

from camelid.types.artifact import FileRole, ModelArtifact, ModelFile
from camelid.types.capabilities import Capability
from camelid.types.conversion import ConversionTask
from camelid.types.facts import ModelFacts
from camelid.types.generation import FinishReason, Timings, TokenAlternative, TokenLogprob
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid.types.options import SamplingOptions
from camelid.wire import messages
from camelid.wire.framing import decode_from_worker, decode_to_worker, encode
from camelid.wire.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Convert,
    Converted,
    Delta,
    Detokenize,
    Embed,
    Embedded,
    Failed,
    Fault,
    Fingerprint,
    Goodbye,
    Progress,
    Rank,
    Ranked,
    Ready,
    Shutdown,
    Start,
    Step,
    Submit,
    Text,
    Tokenize,
    Tokens,
)

FACTS = ModelFacts("toy", 256, 2048, 512, chat_template="{{ x }}", capabilities=frozenset({Capability.COMPLETION}))
LOGPROB = TokenLogprob(65, -0.5, b"\xff", (TokenAlternative(66, -1.5, b"B"),))
TO_WORKER = [
    Start(1, "echo", "echo", ModelArtifact("x", "echo", (ModelFile("/f"),), {"a": [1, None]}), LoadOptions(8, 2)),
    Submit(1, "text", SamplingOptions(seed=3, stop=("a", "b")), return_context=True),
    Submit(2, (1, 2, 3), add_special=False),
    Submit(3, "a picture: |", media=(b"\x89PNG",), media_marker="|", before=(5, 6)),
    Submit(4, (1, 2), forced=(3, 4), distributions=True, reference=b"\0\x3c"),
    Convert(1, "gguf", ConversionTask("safetensors-to-gguf", "/from", "/to", FileRole.ADAPTER, "F16", "/base", 2)),
    Cancel(1),
    Embed(3, ("a", ""), truncate=False),
    Rank(6, "which?", ("a", ""), truncate=False),
    Tokenize(4, "ä", parse_special=False),
    Detokenize(5, (1, 2)),
    Fingerprint(6),
    Shutdown(),
]
FROM_WORKER = [
    Ready(1, FACTS, (MemoryUse("cpu", 1, 2, 3),), "echo", "0.1", 5),
    Step((Delta(1, "ä", 1, logprobs=(LOGPROB,)), Delta(2, finish=FinishReason.LENGTH, timings=Timings(3, 1)))),
    Step((Delta(4, tokens=1, distributions=b"\0\x3c", divergences=(0.5,)),)),
    Step((Delta(3, fault=Fault("ModelError", "m", "r", "p")),)),
    Embedded(3, b"\0\0\x80\x3f", 1, 7),
    Ranked(6, (0.25, 1.0), 9),
    Tokens(4, (1, 2)),
    Text(5, "ä"),
    Failed(0, Fault("ModelLoadError", "no")),
    Progress(3, 7),
    Converted(),
    Goodbye("shut down"),
]


@pytest.mark.parametrize("message", TO_WORKER, ids=lambda message: type(message).__name__)
def test_what_the_server_says_arrives_as_it_was(message):
    assert decode_to_worker(encode(message)) == message


@pytest.mark.parametrize("message", FROM_WORKER, ids=lambda message: type(message).__name__)
def test_what_the_worker_says_arrives_as_it_was(message):
    assert decode_from_worker(encode(message)) == message


def test_every_message_is_covered_here():
    structs = {
        value for value in vars(messages).values() if inspect.isclass(value) and issubclass(value, messages._Message)
    }
    assert {type(message) for message in TO_WORKER + FROM_WORKER} == structs - {messages._Message}


@pytest.mark.parametrize("message", TO_WORKER + FROM_WORKER, ids=lambda message: type(message).__name__)
def test_a_field_that_a_newer_peer_appends_is_skipped(message):
    decode = decode_to_worker if message in TO_WORKER else decode_from_worker
    newer = msgspec.msgpack.decode(encode(message))
    newer += ["from the future", {"more": 1}]
    assert decode(msgspec.msgpack.encode(newer)) == message


def test_fields_appended_inside_a_message_are_skipped_too():
    step = Step((Delta(1, "x", 1, logprobs=(LOGPROB,), fault=Fault("ModelError", "m")),))
    tag, (delta,), _ = msgspec.msgpack.decode(encode(step))
    delta[5][0] += ["future"]
    delta[7] += ["future"]
    assert decode_from_worker(msgspec.msgpack.encode([tag, [[*delta, "future"]], None, "future"])) == step


def test_the_order_of_fields_is_the_protocol():
    """Fields are only ever appended. Whoever must change this list raises PROTOCOL_VERSION as well."""
    fields = {type(message).__name__: type(message).__struct_fields__ for message in TO_WORKER + FROM_WORKER}
    assert PROTOCOL_VERSION == 1
    assert Delta.__struct_fields__[:8] == ("id", "text", "tokens", "finish", "timings", "logprobs", "context", "fault")
    assert Fault.__struct_fields__[:4] == ("kind", "message", "reason", "plugin")
    assert fields["Start"][:6] == ("protocol", "backend", "plugin", "artifact", "options", "tokenizers")
    assert fields["Submit"][:5] == ("id", "prompt", "sampling", "add_special", "truncate")
    assert fields["Submit"][5:9] == ("shift", "logprobs", "top_logprobs", "return_context")
    assert fields["Submit"][9:14] == ("markup", "constraint", "media", "media_marker", "before")
    assert fields["Convert"][:3] == ("protocol", "plugin", "task")
    assert fields["Cancel"][:1] == ("id",)
    assert fields["Embed"][:3] == ("id", "inputs", "truncate")
    assert fields["Tokenize"][:4] == ("id", "text", "add_special", "parse_special")
    assert fields["Detokenize"][:2] == ("id", "tokens")
    assert fields["Ready"][:6] == ("protocol", "facts", "memory", "backend", "backend_version", "load_duration")
    assert fields["Progress"][:2] == ("completed", "total")
    assert fields["Step"][:1] == ("deltas",)
    assert fields["Embedded"][:4] == ("id", "vectors", "dimensions", "prompt_tokens")
    assert fields["Tokens"][:2] == ("id", "tokens")
    assert fields["Text"][:2] == ("id", "text")
    assert fields["Failed"][:2] == ("id", "fault")
    assert fields["Goodbye"][:1] == ("reason",)
