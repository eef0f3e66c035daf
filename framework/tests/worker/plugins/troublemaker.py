"""A plugin that does what no plugin should. The option `trouble` says where."""

import ctypes
import os

import numpy as np

from camelid import BatchDecoder, BatchLimits, Embedder, Engine, LoadedModel, Ranker, Tokenizer, hookimpl
from camelid.errors import ModelLoadError
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid.types.facts import ModelFacts
from camelid.types.memory import MemoryUse

CAMELID_API = 1
END = 256
PROMISES = frozenset({Capability.COMPLETION, Capability.EMBEDDING, Capability.RERANK, Capability.TOKENIZE})


@hookimpl
def camelid_backends(register):
    register(BackendDescriptor("troublemaker", frozenset({"trouble"}), PROMISES))


class Model(LoadedModel):
    def __init__(self, options):
        self.trouble = options.backend.get("trouble", "")
        self.options = options

    @property
    def facts(self):
        if self.trouble == "facts":
            raise ZeroDivisionError("facts")
        return ModelFacts("trouble", END + 1, 100, 100, capabilities=PROMISES)

    def memory(self):
        return (MemoryUse("cpu"),)

    def close(self):
        os.write(2, b"model closed\n")


@hookimpl
def camelid_load_model(options):
    os.write(1, b"a library greets on standard output\n")
    print("and Python too")  # noqa: T201
    trouble = options.backend.get("trouble", "")
    if trouble == "load":
        raise ModelLoadError("cannot load this", reason="told so")
    if trouble == "exit":
        raise SystemExit(3)
    if trouble == "segfault":
        ctypes.string_at(0)
    return Model(options)


class Bytes(Tokenizer):
    vocabulary_size = END + 1
    end_tokens = frozenset({END})

    def encode(self, text, *, add_special, parse_special):
        if text == "unreadable":
            raise ValueError("unreadable")
        return list(text.encode())

    def token_bytes(self, token):
        return bytes((token,)) if token < END else b""


@hookimpl
def camelid_tokenizer(model):
    return Bytes()


class Decoder(BatchDecoder):
    """Says `x` until there are ten tokens; cannot stand exclamation marks."""

    limits = BatchLimits(2, 200, 100, 64)

    def __init__(self, trouble):
        self._trouble = trouble
        self._logits = {}

    def decode(self, batch):
        if b"!"[0] in batch.tokens[: batch.size]:
            raise ZeroDivisionError("a decoder's mistake")
        for row in np.flatnonzero(batch.outputs[: batch.size]):
            logits = np.zeros(END + 1, np.float32)
            logits[ord("x") if batch.positions[row] % 10 else END] = 9
            self._logits[int(row)] = logits

    def logits(self, row):
        return self._logits[row]

    def trim(self, sequence, length):
        return True

    def close(self):
        os.write(2, b"decoder closed\n")
        if self._trouble == "close":
            raise ZeroDivisionError("close")


class Silent(Engine):
    """Loses its requests, or breaks in every step."""

    context_length = 100
    busy = False

    def __init__(self, trouble):
        self._trouble = trouble

    def submit(self, request):
        pass

    def step(self):
        if self._trouble == "step":
            raise ZeroDivisionError("an engine's mistake")
        return []

    def cancel(self, id):  # noqa: A002 - the contract's name
        if self._trouble == "step" and id == 99:
            raise ZeroDivisionError("even cancelling fails")


@hookimpl
def camelid_generator(model):
    if model.trouble == "no generator":
        return None
    return Silent(model.trouble) if model.trouble in ("lost", "step") else Decoder(model.trouble)


class Shapeless(Embedder):
    dimensions = 4
    max_tokens = 10

    def embed(self, inputs):
        return np.zeros((len(inputs), 3), np.float32)


@hookimpl
def camelid_embedder(model):
    return Shapeless() if model.trouble == "shape" else None


class Unfair(Ranker):
    max_tokens = 10

    def __init__(self, trouble):
        self._trouble = trouble

    def pair(self, query, document):
        return [1, 2]

    def rank(self, pairs):
        return np.full(len(pairs) + (self._trouble == "score shape"), 7, np.float32)


@hookimpl
def camelid_ranker(model):
    return Unfair(model.trouble) if model.trouble.startswith("score") else None
