"""The use case behind `camelid compare`: the same prompts on several models and runtimes, one after the other."""

import logging
import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from camelid.engine.pool import Lease, LoadRequest, Pool
from camelid.errors import CamelidError, RequestError
from camelid.prompts.conversation import Conversation
from camelid.prompts.rendered import RenderedPrompt
from camelid.services.agreement import agreement_with
from camelid.services.checks import check_capability, decide_think
from camelid.services.comparison import MOST_TOKENS, CompareEvent, CompareRequest, Loaded
from camelid.services.conversation import assemble
from camelid.services.loading import Model, Models
from camelid.services.prompting import fitting_prompt
from camelid.services.scoring import Greedy, Reference, greedy_deltas, measured, reference_of
from camelid.services.tenant import TENANT
from camelid.types.capabilities import Capability
from camelid.types.events import Purpose
from camelid.types.messages import Message
from camelid.types.options import Options, parse_options
from camelid.wire.messages import Delta

__all__ = ("Compare",)

_MOST_TARGETS: Final = 16
_MOST_PROMPTS: Final = 64

_log = logging.getLogger("camelid.services.compare")


class _Target(msgspec.Struct, frozen=True):
    """A model on a backend."""

    model: Model
    options: Options
    load: LoadRequest
    backend: str


class _Round:
    """One prompt, and the answer that those of other targets are compared with."""

    def __init__(self, number: int, prompt: str) -> None:
        self.number = number
        self.prompt = prompt
        # Nothing is reused of what others, or an earlier comparison, had computed: times are of the whole prompt.
        self.tenant = f"{TENANT.get()}/compare/{secrets.token_hex(8)}"
        self.reference: Reference | None = None


class Compare:
    """Asks several models, or one on several backends, the same."""

    def __init__(self, models: Models, pool: Pool) -> None:
        self._models = models
        self._pool = pool

    async def __call__(self, request: CompareRequest) -> AsyncGenerator[CompareEvent, None]:
        """Compare, one answer at a time, so that none is slower for another; close the iterator to stop early.

        For each prompt the first target that answers is the reference. A target that fails does not end the others.

        Raises:
            CamelidError: before the first event, if the request is wrong, a model is not there or cannot generate, or
                a backend is not there or cannot load a model.
        """
        _check(request)
        targets = [
            await self._target(name, backend, request)
            for name in request.models
            for backend in request.backends or (None,)
        ]
        if len(targets) > _MOST_TARGETS:
            raise RequestError(f"{len(targets)} models and backends are too many to compare: at most {_MOST_TARGETS}")
        for number, prompt in enumerate(request.prompts):
            turn = _Round(number, prompt)
            for place, target in enumerate(targets):
                async with aclosing(self._ask(turn, place, target, request.keep_alive)) as events:
                    async for event in events:
                        yield event

    async def _target(self, name: str, backend: str | None, request: CompareRequest) -> _Target:
        """A model on a backend; on the one that would serve it, if none is named."""
        model = await self._models.find(name)
        check_capability(model, Capability.COMPLETION)
        own = {"num_predict": request.tokens, **({"backend": backend} if backend else {})}
        options = parse_options(model.stored.params, request.options, own)
        load = model.load_request(options)
        return _Target(model, options, load, await self._pool.backend_of(load))

    async def _ask(
        self, turn: _Round, place: int, target: _Target, keep_alive: float | None
    ) -> AsyncGenerator[CompareEvent, None]:
        """One target's answer to one prompt, and how far it agrees with the reference."""
        try:
            async with self._pool.lease(target.load, keep_alive, Purpose.COMPARE) as lease:
                yield CompareEvent(prompt=turn.number, target=place, loaded=_loaded(target, lease))
                prompt = await fitting_prompt(
                    lease.client,
                    lambda messages: _render(target.model, messages),
                    _messages(turn, target),
                    truncate=True,
                )
                text, last = "", Delta(id=0)
                async with aclosing(
                    greedy_deltas(lease.client, prompt, target.options.sampling, turn.tenant)
                ) as deltas:
                    async for last in deltas:
                        text += last.text
                        if last.text:
                            yield CompareEvent(prompt=turn.number, target=place, text=last.text)
                greedy = Greedy(text, last)
                answer = await measured(lease.client, greedy)
                yield CompareEvent(prompt=turn.number, target=place, answer=answer)
                if turn.reference is None:
                    turn.reference = await reference_of(lease.client, greedy, turn.tenant)
                    return
                agreement = await agreement_with(turn.reference, lease.client, greedy, turn.tenant)
                yield CompareEvent(prompt=turn.number, target=place, agreement=agreement)
        except CamelidError as error:
            _log.warning("%s on %s: %s (%s)", target.load.name, target.backend, error.message, error.reason)
            yield CompareEvent(prompt=turn.number, target=place, failure=error.message)


def _check(request: CompareRequest) -> None:
    if not request.models or not all(request.models):
        raise RequestError("models is required: name one or more models to compare")
    if not request.prompts or not all(request.prompts):
        raise RequestError("a prompt is empty: say what the models shall answer to")
    if len(request.prompts) > _MOST_PROMPTS:
        raise RequestError(f"{len(request.prompts)} prompts are too many: at most {_MOST_PROMPTS}")
    if not 1 <= request.tokens <= MOST_TOKENS:
        raise RequestError(f"tokens must be between 1 and {MOST_TOKENS}")


def _loaded(target: _Target, lease: Lease) -> Loaded:
    ready = lease.client.ready
    return Loaded(
        model=target.load.name,
        backend=target.backend,
        runtime=ready.backend_version,
        load_duration=lease.load_duration,
        context_length=ready.facts.context_length,
        vocabulary_size=ready.facts.vocabulary_size,
    )


def _messages(turn: _Round, target: _Target) -> list[Message]:
    return assemble(target.model.stored, (Message(role="user", content=turn.prompt),))


def _render(model: Model, messages: Sequence[Message]) -> RenderedPrompt:
    think = decide_think(model, model.stored.name.short, think=None)
    return model.template.render(Conversation(messages=tuple(messages), think=think))
