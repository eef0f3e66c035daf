"""Every message between server and worker.

Tagged arrays: fields are only ever appended, each new one with a default, and unknown trailing fields are skipped,
so an older peer can read a newer one's messages. Anything else raises `PROTOCOL_VERSION`. Text from a model is
always complete UTF-8. `id` names a request; the server hands ids out and never uses one twice in a worker's life.
"""

from typing import Final, TypeAlias

import msgspec

from camelid.types.artifact import ModelArtifact
from camelid.types.conversion import ConversionTask
from camelid.types.facts import ModelFacts
from camelid.types.generation import FinishReason, Timings, TokenLogprob
from camelid.types.grammar import Grammar
from camelid.types.loading import LoadOptions
from camelid.types.memory import MemoryUse
from camelid.types.options import SamplingOptions
from camelid.types.usage import EngineUsage

__all__ = (
    "MAX_FRAME_BYTES",
    "PROTOCOL_VERSION",
    "Cancel",
    "Convert",
    "Converted",
    "Delta",
    "Detokenize",
    "Embed",
    "Embedded",
    "Failed",
    "Fault",
    "Fingerprint",
    "FromWorker",
    "Goodbye",
    "Progress",
    "Rank",
    "Ranked",
    "Ready",
    "Shutdown",
    "Start",
    "Step",
    "Submit",
    "Text",
    "ToWorker",
    "Tokenize",
    "Tokens",
)

PROTOCOL_VERSION: Final = 1

MAX_FRAME_BYTES: Final = 256 * 1024 * 1024
"""A longer frame is refused by both sides before it is read."""


class _Message(msgspec.Struct, array_like=True, tag=True, gc=False):
    """Base of all messages; the class name is the tag."""


class Fault(msgspec.Struct, frozen=True, array_like=True):
    """An error on its way from the worker; the server raises it again (`camelid.wire.faults`)."""

    kind: str
    """Class name in `camelid.errors`."""
    message: str
    """For the client."""
    reason: str = ""
    """For the log."""
    plugin: str = ""


# From the server


class Start(_Message):
    """The first frame: what to be. Answered by `Ready` or `Failed`."""

    protocol: int
    backend: str
    plugin: str
    """Entry-point name of the backend's plugin, which is imported."""
    artifact: ModelArtifact
    options: LoadOptions
    tokenizers: tuple[str, ...] = ()
    """Entry-point names of plugins that tokenize for others, in the order to ask them; imported, too."""


class Submit(_Message):
    """Generate. Answered by `Delta`s in `Step`s; the last has `finish` or `fault`."""

    id: int
    prompt: str | tuple[int, ...]
    """Text, tokenized in the worker, or token ids as they are."""
    sampling: SamplingOptions = SamplingOptions()
    add_special: bool = True
    """Let the tokenizer put the begin token in front; False where the template wrote it."""
    truncate: bool = True
    """Cut a prompt that does not fit (contract 3.7); otherwise it is a `PromptTooLongError`."""
    shift: bool = True
    logprobs: bool = False
    top_logprobs: int = 0
    return_context: bool = False
    """Give the tokens of prompt and answer back in the last delta."""
    markup: tuple[str, ...] = ()
    """Texts of control tokens that shall appear in the answer, because the server looks for them there."""
    constraint: Grammar | None = None
    """The language of the answer; a faulty one is a `RequestError`."""
    media: tuple[bytes, ...] = ()
    """Files of pictures and sound, as the client sent them, in the order of their places in the prompt."""
    media_marker: str = ""
    """Stands in the prompt's text where media belong: as often as there are media, and nowhere else."""
    before: tuple[int, ...] = ()
    """Token ids that stand in front of the prompt: what an earlier answer gave back."""
    tenant: str = ""
    """Whose request it is, as `EngineRequest.tenant`."""
    forced: tuple[int, ...] = ()
    """Token ids that are the answer, whatever the model would choose: a text to be scored. Of `sampling` only `stop`
    matters then, and nothing is cut or shifted."""
    distributions: bool = False
    """With `forced`: give the log-probabilities of the whole vocabulary in each token's place."""
    reference: bytes = b""
    """With `forced`: another model's `Delta.distributions` for the same tokens, to tell the divergence from."""


class Convert(_Message):
    """The first frame to a worker that converts instead of serving a model. Answered by `Progress`, and at the end by
    `Converted` or `Failed`.
    """

    protocol: int
    plugin: str
    """Entry-point name of the plugin to import."""
    task: ConversionTask


class Cancel(_Message):
    """Drop a request. No answer; a request that ended already is ignored."""

    id: int


class Embed(_Message):
    """Embed some inputs. Answered by `Embedded` or `Failed`."""

    id: int
    inputs: tuple[str | tuple[int, ...], ...]
    """Texts, tokenized in the worker, or token ids as they are."""
    truncate: bool = True
    """Cut inputs that are too long; otherwise they are a `PromptTooLongError`."""


class Rank(_Message):
    """Score documents by how well they answer a query. Answered by `Ranked` or `Failed`."""

    id: int
    query: str
    documents: tuple[str, ...]
    truncate: bool = True
    """Cut documents that are too long; otherwise they are a `PromptTooLongError`."""


class Tokenize(_Message):
    """Answered by `Tokens` or `Failed`."""

    id: int
    text: str
    add_special: bool = True
    parse_special: bool = True


class Detokenize(_Message):
    """Answered by `Text` or `Failed`."""

    id: int
    tokens: tuple[int, ...]


class Fingerprint(_Message):
    """Ask for a digest of the vocabulary, equal for models whose token ids mean the same. Answered by `Text` or
    `Failed`.
    """

    id: int


class Shutdown(_Message):
    """Finish the step, close the model, say `Goodbye` and exit."""


# From the worker


class Ready(_Message):
    """The model is loaded; the truth about it."""

    protocol: int
    facts: ModelFacts
    memory: tuple[MemoryUse, ...]
    backend: str
    backend_version: str = ""
    """Version of the runtime, for people."""
    load_duration: int = 0
    """Nanoseconds."""
    usage: EngineUsage = EngineUsage()
    """What the engine holds before the first request."""


class Delta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one step, or a few quick ones, brought to one request."""

    id: int
    text: str = ""
    tokens: int = 0
    """Tokens generated since the last delta, also those whose text is still held back."""
    finish: FinishReason | None = None
    timings: Timings | None = None
    """On the last delta; load and total durations are the server's to fill in."""
    logprobs: tuple[TokenLogprob, ...] = ()
    context: tuple[int, ...] = ()
    fault: Fault | None = None
    stop: str = ""
    """With `finish`: the stop string that the answer ended at."""
    distributions: bytes = b""
    """Rows of little-endian float16, one for each forced token: the log-probability of each token of the vocabulary."""
    divergences: tuple[float, ...] = ()
    """For each forced token: the Kullback-Leibler divergence of this model from the reference, in nats."""


class Step(_Message):
    """The deltas of all requests since the last frame: of one step, or of a few quick ones."""

    deltas: tuple[Delta, ...]
    usage: EngineUsage | None = None
    """What the engine holds now; at least once a second, and when an answer ends."""


class Embedded(_Message):
    """Vectors as little-endian float32, row after row."""

    id: int
    vectors: bytes
    dimensions: int
    prompt_tokens: int
    """Over all inputs, after cutting."""


class Ranked(_Message):
    """Scores from 0 to 1, in the order of the documents."""

    id: int
    scores: tuple[float, ...]
    prompt_tokens: int
    """Over all pairs of the query and a document, after cutting."""


class Tokens(_Message):
    """Token ids."""

    id: int
    tokens: tuple[int, ...]


class Text(_Message):
    """Text of token ids; bytes that are no UTF-8 are replaced."""

    id: int
    text: str


class Progress(_Message):
    """How far a conversion is."""

    completed: int
    total: int


class Converted(_Message):
    """A conversion has written its target."""


class Failed(_Message):
    """A request failed; `id` 0: the worker itself did, and will exit."""

    id: int
    fault: Fault


class Goodbye(_Message):
    """The last frame of an orderly end. A pipe that closes without it means that the worker died."""

    reason: str = ""


ToWorker: TypeAlias = Start | Convert | Submit | Cancel | Embed | Rank | Tokenize | Detokenize | Fingerprint | Shutdown
FromWorker: TypeAlias = Ready | Step | Embedded | Ranked | Tokens | Text | Progress | Converted | Failed | Goodbye
