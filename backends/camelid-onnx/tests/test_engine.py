"""Paged models on the runtime's engine: what the kit does not ask, and the shape that the engine had before 0.16."""

from types import SimpleNamespace

import pytest

from camelid import EngineRequest
from camelid.errors import ModelError, UnsupportedCapabilityError
from camelid.testing.tiny_onnx import write_paged_model
from camelid.types.capabilities import Capability
from camelid.types.generation import FinishReason
from camelid.types.options import SamplingOptions
from camelid_onnx.engine import GenaiEngine, NativeEngine, NativeEvent
from camelid_onnx.engine_shapes import new_engine


def request(number, prompt, **sampling):
    return EngineRequest(id=number, prompt=tuple(prompt), sampling=SamplingOptions(temperature=0, **sampling))


def finished(engine, steps=200):
    """Run to the end: tokens, finish and error of each request."""
    found = {}
    for _ in range(steps):
        for event in engine.step():
            tokens, _, _ = found.get(event.id, ([], None, None))
            found[event.id] = [*tokens, *event.tokens], event.finish, event.error
        if not engine.busy:
            return found
    raise AssertionError(f"still busy: {found}")


@pytest.fixture(scope="module")
def paged_folder(tmp_path_factory):
    return write_paged_model(tmp_path_factory.mktemp("paged"))


def test_sequences_of_different_lengths_share_steps(load, paged_folder):
    model = load(paged_folder)
    assert Capability.LOGPROBS not in model.facts.capabilities
    engine, tokenizer = model.generator(), model.tokenizer()
    texts = {1: "one two one two one", 2: "abcabcabcabca", 3: "xyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyxyx"}
    for number, text in texts.items():
        engine.submit(request(number, tokenizer.encode(text, add_special=True, parse_special=False), num_predict=6))
    answers = {number: tokenizer.decode(tokens) for number, (tokens, _, _) in finished(engine).items()}
    assert answers == {1: b" two o", 2: b"bcabca", 3: b"yxyxyx"}


def test_what_the_runtime_cannot_sample_is_refused_by_name(load, paged_folder):
    engine = load(paged_folder).generator()
    engine.submit(request(1, [97, 98], min_p=0.5, presence_penalty=1.0))
    ((_, finish, error),) = finished(engine).values()
    assert finish is None
    assert isinstance(error, UnsupportedCapabilityError)
    assert "min_p, presence_penalty" in error.message


def test_a_full_context_ends_an_answer(load, paged_folder):
    engine = load(paged_folder, context=32).generator()
    engine.submit(request(1, [97, 98] * 10))
    tokens, finish, _ = finished(engine)[1]
    assert (len(tokens), finish) == (12, FinishReason.LENGTH)


class _Broken(NativeEngine):
    """Fails in its second run."""

    made = 0

    def __init__(self):
        type(self).made += 1
        self.runs = 0
        self.ids = []

    def start(self, id, prompt, sampling, room):  # noqa: A002
        self.ids.append(id)

    def run(self):
        self.runs += 1
        if self.runs == 2:
            raise RuntimeError("the device is lost")
        return [NativeEvent(id, (7,)) for id in self.ids]  # noqa: A001

    def stop(self, id):  # noqa: A002
        self.ids.remove(id)


def test_when_the_runtime_fails_all_requests_fail_and_the_next_begin_anew():
    engine = GenaiEngine(_Broken, 64, frozenset({2}), lambda error: ModelError(str(error)))
    engine.submit(request(1, [3]))
    engine.submit(request(2, [3]))
    found = finished(engine)
    assert {number: str(error) for number, (_, _, error) in found.items()} == {
        1: "the device is lost",
        2: "the device is lost",
    }
    assert _Broken.made == 2
    engine.submit(request(3, [3]))
    assert [(event.id, event.tokens) for event in engine.step()] == [(3, [7])]
    engine.cancel(3)
    assert not engine.busy


# What onnxruntime-genai 0.15.2 does, seen with a real model: an answer that its end token ends is done without a token,
# and a step that finds nothing else raises.


class _OldRequest:
    def __init__(self, parameters):
        self.options, self.tokens, self.said, self.unseen, self.over = parameters.options, [], 0, [], False

    def add_tokens(self, tokens):
        self.tokens += tokens.tolist()

    def has_unseen_tokens(self):
        return bool(self.unseen)

    def get_unseen_token(self):
        return self.unseen.pop(0)

    def is_done(self):
        return self.over

    def advance(self):
        """Counts up, and ends at 5."""
        token = self.tokens[-1] + 1
        if token == 5:
            self.over = True
            return False
        self.tokens.append(token)
        self.unseen.append(token)
        self.over = len(self.tokens) >= self.options["max_length"]
        return True


class _OldEngine:
    def __init__(self, model):
        self.requests, self.ready = [], []

    def add_request(self, request):
        self.requests.append(request)

    def remove_request(self, request):
        self.requests.remove(request)

    def step(self):
        if not self.ready:
            self.ready = [each for each in self.requests if not each.over and each.advance()]
        if not self.ready:
            raise RuntimeError("Expected at least one request to be ready, but none were found.")
        return self.ready.pop(0)


class _OldParams:
    def __init__(self, model):
        self.options = {}

    def set_search_options(self, **options):
        self.options |= options


def test_the_engine_of_older_libraries():
    genai = SimpleNamespace(Engine=_OldEngine, Request=_OldRequest, GeneratorParams=_OldParams)
    engine = GenaiEngine(lambda: new_engine(genai, None), 64, frozenset({5}), lambda error: ModelError(str(error)))
    engine.submit(request(1, [1, 2]))
    engine.submit(request(2, [10], num_predict=3))
    engine.submit(request(3, [20], num_predict=4))
    found = finished(engine)
    assert found == {
        1: ([3, 4], FinishReason.STOP, None),
        2: ([11, 12, 13], FinishReason.LENGTH, None),
        3: ([21, 22, 23, 24], FinishReason.LENGTH, None),
    }
