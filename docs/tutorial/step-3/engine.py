"""An engine: it takes requests and advances them by itself."""

import numpy as np
import numpy.typing as npt
from camelid import Engine, EngineEvent, EngineRequest
from camelid.types.generation import FinishReason, TokenAlternative, TokenLogprob
from camelid.types.options import SamplingOptions

from camelid_suffix.backend import END, SuffixModel

__all__ = ("SuffixEngine",)


class SuffixEngine(Engine):
    """Gives every request one token a step."""

    def __init__(self, model: SuffixModel) -> None:
        self._model = model
        self._answers: dict[int, _Answer] = {}

    @property
    def context_length(self) -> int:
        """As loaded."""
        return self._model.options.context_length

    @property
    def busy(self) -> bool:
        """Whether a request is open."""
        return bool(self._answers)

    def submit(self, request: EngineRequest) -> None:
        """Begin with the next step."""
        self._answers[request.id] = _Answer(self._model, request)

    def cancel(self, id: int) -> None:
        """Forget a request."""
        self._answers.pop(id, None)

    def step(self) -> list[EngineEvent]:
        """One token for each request; those that ended are forgotten."""
        events = [answer.advance() for answer in self._answers.values()]
        for event in events:
            if event.finish is not None:
                del self._answers[event.id]
        return events


class _Answer:
    """A request, and how far its answer is."""

    def __init__(self, model: SuffixModel, request: EngineRequest) -> None:
        self._model = model
        self._request = request
        self._tokens = bytearray(request.prompt)
        self._left = request.sampling.num_predict
        seed = request.sampling.seed
        self._random = np.random.default_rng(seed if seed >= 0 else None)

    def advance(self) -> EngineEvent:
        """Choose the next token, and see whether it is the last."""
        logits = self._model.logits(np.frombuffer(self._tokens, np.uint8))
        token = _choose(logits, self._request.sampling, self._random)
        if token == END:
            return EngineEvent(self._request.id, finish=FinishReason.STOP)
        self._tokens.append(token)
        self._left -= 1
        full = len(self._tokens) >= self._model.options.context_length and not self._shifted()
        return EngineEvent(
            self._request.id,
            (token,),
            logprobs=(_logprob(logits, token, self._request.top_logprobs),) if self._request.logprobs else (),
            finish=FinishReason.LENGTH if full or self._left == 0 else None,
        )

    def _shifted(self) -> bool:
        """Make room by forgetting the older half of a full context, where the request allows it."""
        if self._request.shift:
            del self._tokens[: len(self._tokens) // 2]
        return self._request.shift


def _choose(logits: npt.NDArray[np.float32], sampling: SamplingOptions, random: np.random.Generator) -> int:
    """The next token, as the options want it chosen."""
    if sampling.temperature == 0:
        return int(logits.argmax())
    order = np.argsort(-logits, kind="stable")[: sampling.top_k or None]
    weights = np.exp((logits[order] - logits[order[0]]) / sampling.temperature)
    weights /= weights.sum()
    kept = (np.cumsum(weights) - weights < sampling.top_p) & (weights >= sampling.min_p * weights[0])
    kept[0] = True
    return int(random.choice(order[kept], p=weights[kept] / weights[kept].sum()))


def _logprob(logits: npt.NDArray[np.float32], token: int, alternatives: int) -> TokenLogprob:
    """What the model thought of a token, and of those that were more likely."""
    found = np.minimum(logits - np.log(np.exp(logits).sum()), 0)
    order = np.argsort(-found, kind="stable")[:alternatives]
    top = tuple(TokenAlternative(int(other), float(found[other]), _text(int(other))) for other in order)
    return TokenLogprob(token, float(found[token]), _text(token), top)


def _text(token: int) -> bytes:
    return b"" if token == END else bytes([token])
