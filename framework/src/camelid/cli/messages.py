"""What commands send to the server's API, and what it answers (contract 4, 5, 7).

Answers name only the fields that commands use; others are skipped, so that any server of this API will do.
"""

from datetime import datetime

import msgspec

from camelid.plugins.proofs import Standing
from camelid.services.comparison import Agreement, Compared, Loaded
from camelid.types.json import JsonObject, JsonValue
from camelid.types.messages import Message

__all__ = (
    "AnswerLine",
    "ChatBody",
    "CompareBody",
    "CompareLine",
    "CreateBody",
    "Details",
    "GenerateBody",
    "ListedModel",
    "ProgressLine",
    "RunningModel",
    "ShownModel",
    "StreamLine",
    "TensorEntry",
)


class Details(msgspec.Struct, frozen=True):
    """What a model is, in a few words."""

    format: str = ""
    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""


class ListedModel(msgspec.Struct, frozen=True):
    """One entry of `/api/tags`."""

    name: str
    modified_at: datetime
    digest: str
    size: int = 0
    """Bytes."""
    remote_model: str = ""


class RunningModel(msgspec.Struct, frozen=True):
    """One entry of `/api/ps`."""

    name: str
    expires_at: datetime
    digest: str = ""
    size: int = 0
    """Bytes."""
    size_vram: int = 0
    """Bytes, of `size`."""
    context_length: int = 0
    backend: str = ""
    backend_reason: str = ""
    """Why that one holds it."""
    runtime: str = ""


class TensorEntry(msgspec.Struct, frozen=True):
    """One tensor of a model's file."""

    name: str
    type: str
    shape: tuple[int, ...]


class ShownModel(msgspec.Struct, frozen=True):
    """The answer of `/api/show`."""

    license: str = ""
    modelfile: str = ""
    parameters: str = ""
    """One line per value: name, blanks, the value as Go writes it."""
    template: str = ""
    system: str = ""
    details: Details = Details()
    messages: tuple[Message, ...] = ()
    model_info: JsonObject = {}
    projector_info: JsonObject = {}
    tensors: tuple[TensorEntry, ...] = ()
    capabilities: tuple[str, ...] = ()
    remote_model: str = ""
    remote_host: str = ""
    requires: str = ""
    backend: str = ""
    backend_reason: str = ""
    """Why that one would serve it, or why none would."""
    backend_standing: Standing | None = None
    """What is proven of that one on the server's machine."""

    def can(self, capability: str) -> bool:
        """Whether the model says so of itself."""
        return capability in self.capabilities


class StreamLine(msgspec.Struct, frozen=True, kw_only=True):
    """What every line of a stream may be: the end of it, by an error."""

    error: str = ""


class ProgressLine(StreamLine, frozen=True):
    """One line of a pull or a create."""

    status: str = ""
    digest: str = ""
    total: int = 0
    """Bytes; 0 = this status has no bar, for nobody knows how many, or there are none."""
    completed: int = 0


class AnswerLine(StreamLine, frozen=True):
    """One line of `/api/generate` or `/api/chat`. Durations are nanoseconds."""

    response: str = ""
    message: Message | None = None
    thinking: str = ""
    done: bool = False
    done_reason: str = ""
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    prompt_eval_duration: int = 0
    eval_count: int = 0
    eval_duration: int = 0

    @property
    def text(self) -> str:
        """The piece of the answer, wherever this endpoint puts it."""
        return self.response or (self.message.content if self.message else "")

    @property
    def thought(self) -> str:
        """The piece of thinking, wherever this endpoint puts it."""
        return self.thinking or (self.message.thinking if self.message else "")


class CompareLine(StreamLine, frozen=True):
    """One line of `/api/compare`."""

    prompt: int = 0
    target: int = 0
    loaded: Loaded | None = None
    text: str = ""
    answer: Compared | None = None
    agreement: Agreement | None = None
    failure: str = ""


class CompareBody(msgspec.Struct, omit_defaults=True):
    """A request to `/api/compare`."""

    models: tuple[str, ...]
    backends: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    tokens: int = 64
    options: JsonObject = {}


class GenerateBody(msgspec.Struct, omit_defaults=True):
    """A request to `/api/generate`."""

    model: str
    prompt: str = ""
    images: tuple[bytes, ...] = ()
    format: JsonValue = None
    think: bool | str | None = None
    keep_alive: str | int | None = None
    options: JsonObject = {}


class ChatBody(msgspec.Struct, omit_defaults=True):
    """A request to `/api/chat`."""

    model: str
    messages: tuple[Message, ...]
    format: JsonValue = None
    think: bool | str | None = None
    keep_alive: str | int | None = None
    options: JsonObject = {}


class CreateBody(msgspec.Struct, omit_defaults=True, rename={"from_": "from"}):
    """A request to `/api/create`."""

    model: str
    from_: str = ""
    files: dict[str, str] = {}
    """File name to digest, of blobs uploaded before."""
    adapters: dict[str, str] = {}
    draft_files: dict[str, str] = {}
    template: str = ""
    system: str = ""
    license: tuple[str, ...] = ()
    parameters: JsonObject = {}
    messages: tuple[Message, ...] = ()
    quantize: str = ""
    format: str = ""
    draft_quantize: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
