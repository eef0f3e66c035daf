"""The generator: requests go out, pieces of text come back."""

import asyncio
from collections import deque
from contextlib import aclosing, suppress
from typing import Final

import httpx

from camelid import Engine, EngineEvent, EngineRequest
from camelid.errors import CamelidError, ModelError, UnsupportedCapabilityError
from camelid.types.generation import FinishReason
from camelid.types.usage import EngineUsage
from camelid_upstream.backend import UpstreamModel, text_of
from camelid_upstream.completion import complete, request_body

__all__ = ("UpstreamEngine",)

_STEP_SECONDS: Final = 0.01
_CLOSING_SECONDS: Final = 0.1


class UpstreamEngine(Engine):
    """Waits for many answers at once.

    An event loop of its own does the waiting. It turns on the engine thread, while `step` runs and no longer than that
    may take; between two steps nothing is read. So nothing piles up here: an upstream that says more than is wanted
    fills its own connection, and then waits.
    """

    def __init__(self, model: UpstreamModel) -> None:
        self._model = model
        self._loop = asyncio.new_event_loop()
        seconds = model.timeouts
        self._http = httpx.AsyncClient(
            base_url=model.upstream.address,
            headers={"Accept-Encoding": "identity", **model.upstream.headers()},
            timeout=httpx.Timeout(seconds.silence_seconds, connect=seconds.connect_seconds),
        )
        self._waiting: deque[EngineRequest] = deque()
        self._running: dict[int, asyncio.Task[None]] = {}
        self._events: list[EngineEvent] = []
        self._news = asyncio.Event()

    @property
    def context_length(self) -> int:
        """As loaded; in bytes."""
        return self._model.options.context_length

    @property
    def busy(self) -> bool:
        """Whether any request is open."""
        return bool(self._waiting or self._running or self._events)

    @property
    def usage(self) -> EngineUsage:
        """Who is answered, and who waits."""
        return EngineUsage(running=len(self._running), waiting=len(self._waiting))

    def submit(self, request: EngineRequest) -> None:
        """Send it on as soon as fewer than `parallel` others are answered."""
        if request.sampling.logit_bias:
            error = UnsupportedCapabilityError(
                "logit_bias means tokens, and this model's are known to its upstream only"
            )
            self._events.append(EngineEvent(request.id, error=error))
            return
        self._waiting.append(request)
        self._send()

    def step(self) -> list[EngineEvent]:
        """What has come since, or comes within a few milliseconds."""
        if not self._events:
            self._loop.run_until_complete(self._listen())
        events, self._events = self._events, []
        return events

    def cancel(self, id: int) -> None:  # noqa: A002 - the contract's name
        """Close its connection, which tells the upstream."""
        self._waiting = deque(request for request in self._waiting if request.id != id)
        task = self._running.pop(id, None)
        if task is not None:
            task.cancel()
            self._loop.run_until_complete(asyncio.wait({task}, timeout=_CLOSING_SECONDS))
            self._send()
        self._events = [event for event in self._events if event.id != id]

    def close(self) -> None:
        """Close all connections."""
        self._waiting.clear()
        for id in tuple(self._running):  # noqa: A001 - the contract's name
            self.cancel(id)
        self._loop.run_until_complete(self._http.aclose())
        self._loop.close()

    def _send(self) -> None:
        while self._waiting and len(self._running) < self._model.options.parallel:
            request = self._waiting.popleft()
            self._running[request.id] = self._loop.create_task(self._answer(request))

    async def _listen(self) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_STEP_SECONDS):
                await self._news.wait()

    async def _answer(self, request: EngineRequest) -> None:
        """Tell what comes of one request. Its end is told when its connection is closed, or free for the next."""
        try:
            last = EngineEvent(request.id, finish=await self._read(request))
        except CamelidError as error:
            last = EngineEvent(request.id, error=error)
        except Exception as error:  # noqa: BLE001 - whatever it is, only this request may suffer
            problem = ModelError(f"asking {self._model.upstream} failed", reason=repr(error))
            last = EngineEvent(request.id, error=problem)
        self._running.pop(request.id, None)
        self._tell(last)
        self._send()

    async def _read(self, request: EngineRequest) -> FinishReason:
        """Tell the pieces of an answer; how it ended."""
        room = self.context_length - len(request.prompt)
        body = request_body(self._model.file, text_of(request.prompt), request.sampling, room)
        async with aclosing(complete(self._http, self._model.upstream, body)) as pieces:
            async for piece in pieces:
                tokens = piece.text.encode("utf-8", "replace")[:room]
                room -= len(tokens)
                if tokens:
                    self._tell(EngineEvent(request.id, tokens))
                if piece.finish:
                    return piece.finish
                if not room:
                    break
        return FinishReason.LENGTH

    def _tell(self, event: EngineEvent) -> None:
        self._events.append(event)
        self._news.set()
