"""One worker as the server talks to it: requests go in, answers come out, and its death reaches whoever waits."""

import asyncio
import itertools
import logging
import math
from collections.abc import AsyncGenerator
from typing import Final, TypeVar

import msgspec

from camelid.contracts.placement import Connection, Placement, WorkerSpec
from camelid.engine.mailbox import Mailbox
from camelid.errors import CamelidError, ProtocolError, WorkerDiedError, WorkerError, WorkerTimeoutError
from camelid.types.usage import EngineUsage
from camelid.wire.faults import error_from
from camelid.wire.framing import decode_from_worker, encode
from camelid.wire.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Delta,
    Detokenize,
    Embed,
    Embedded,
    Failed,
    Fingerprint,
    Goodbye,
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
    ToWorker,
)

__all__ = ("WorkerClient",)

GRACE_SECONDS: Final = 5.0
"""For a worker to close its model before it is killed, and for the kill to be noticed."""
SILENCE_SECONDS: Final = 30.0
"""Without a frame while requests are open, until the worker is asked for a sign of life."""
PATIENCE_SECONDS: Final = 600.0
"""For that sign to come. It is as long as the longest single step may be: a large batch of embeddings, say."""

# Clients match the first words, which are Ollama's (contract 4.6).
_STOPPED: Final = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, "
    "check the server's log for details"
)

_log = logging.getLogger("camelid.engine")

Answer = TypeVar("Answer", Embedded, Ranked, Tokens, Text)


class WorkerClient:
    """A worker that has loaded its model. Made by `start`; all methods run on the event loop."""

    ready: Ready
    """What the worker said after loading."""
    usage: EngineUsage
    """What it said last of what its engine holds."""

    def __init__(self, *, silence: float = SILENCE_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[str] = loop.create_future()
        """Done when the worker is gone; the first line says why in a few words, the others are its last output."""
        self._loop = loop
        self._silence = silence
        self._patience = patience
        self._connection: Connection | None = None
        self._handshake: asyncio.Future[Ready] = loop.create_future()
        self._ids = itertools.count(1)
        self._mailboxes: dict[int, Mailbox] = {}
        self._answers: dict[int, asyncio.Future[Embedded | Ranked | Tokens | Text]] = {}
        self._fate: CamelidError | None = None
        """What to tell of the worker's end, where more is known than how its process ended."""
        self._heard = loop.time()
        self._watcher: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls,
        placement: Placement,
        spec: WorkerSpec,
        *,
        timeout: float,  # noqa: ASYNC109 - it ends the worker too, which the caller's own timeout could not
        silence: float = SILENCE_SECONDS,
        patience: float = PATIENCE_SECONDS,
    ) -> "WorkerClient":
        """Start a worker and wait until it has loaded its model. If that fails or is cancelled, it is gone again.

        Args:
            placement: where it shall run.
            spec: what it shall load.
            timeout: seconds; infinite for no limit.
            silence: seconds without a frame, with requests open, until it is asked for a sign of life.
            patience: seconds for that sign to come, until it is killed.

        Raises:
            WorkerTimeoutError: it took too long.
            WorkerDiedError: its process ended.
            ProtocolError: it speaks another protocol.
            CamelidError: what the worker said, such as a `ModelLoadError`.
        """
        client = cls(silence=silence, patience=patience)
        try:
            async with asyncio.timeout(None if math.isinf(timeout) else timeout):
                client._connection = await placement.start(spec, client._on_frame, client._on_end)
                start = Start(PROTOCOL_VERSION, spec.backend, spec.plugin, spec.artifact, spec.options, spec.tokenizers)
                client._write(start)
                client.ready = await client._handshake
        except BaseException as error:
            await client._abandon()
            if isinstance(error, TimeoutError):
                raise WorkerTimeoutError(
                    f"timed out after {timeout:g} seconds waiting for the model to load; "
                    "raise the setting load_timeout if it needs longer",
                    reason=client.ended.result() if client.ended.done() else "",
                ) from error
            raise
        client._watcher = asyncio.create_task(client._watch(), name=f"watching the worker of {spec.artifact.name}")
        return client

    @property
    def alive(self) -> bool:
        """Whether requests can be sent."""
        return not self.ended.done() and self._fate is None

    @property
    def pid(self) -> int:
        """Process id; 0 if the worker has no process of its own."""
        return self._connection.pid if self._connection is not None else 0

    async def generate(self, submit: Submit) -> AsyncGenerator[Delta, None]:
        """Generate; the last delta has `finish`. Deltas that a slow reader left lying come as one.

        Closing the iterator, or cancelling whoever waits for it, cancels the request in the worker.

        Args:
            submit: the request; its id is filled in here.

        Raises:
            WorkerDiedError: the worker ended.
            CamelidError: the request failed.
        """
        submit = msgspec.structs.replace(submit, id=next(self._ids))
        mailbox = self._mailboxes[submit.id] = Mailbox()
        try:
            self._send(submit)
            while True:
                delta = await mailbox.take()
                yield delta
                if delta.finish is not None:
                    return
        finally:
            del self._mailboxes[submit.id]
            if not mailbox.ended:
                self._drop(submit.id)

    async def embed(self, inputs: tuple[str | tuple[int, ...], ...], *, truncate: bool) -> Embedded:
        """Embed some inputs, texts or token ids; vectors are not normalised.

        Raises:
            PromptTooLongError: an input is too long and may not be cut.
            WorkerDiedError: the worker ended.
        """
        return await self._ask(Embed(next(self._ids), inputs, truncate), Embedded)

    async def rank(self, query: str, documents: tuple[str, ...], *, truncate: bool) -> Ranked:
        """Score documents by how well they answer a query.

        Raises:
            PromptTooLongError: a document is too long and may not be cut, or the query is.
            WorkerDiedError: the worker ended.
        """
        return await self._ask(Rank(next(self._ids), query, documents, truncate), Ranked)

    async def tokenize(self, text: str, *, add_special: bool, parse_special: bool) -> tuple[int, ...]:
        """Token ids of a text.

        Raises:
            WorkerDiedError: the worker ended.
        """
        return (await self._ask(Tokenize(next(self._ids), text, add_special, parse_special), Tokens)).tokens

    async def detokenize(self, tokens: tuple[int, ...]) -> str:
        """Text of token ids.

        Raises:
            WorkerDiedError: the worker ended.
        """
        return (await self._ask(Detokenize(next(self._ids), tokens), Text)).text

    async def fingerprint(self) -> str:
        """A digest of the vocabulary: equal for models whose token ids mean the same.

        Raises:
            WorkerDiedError: the worker ended.
        """
        return (await self._ask(Fingerprint(next(self._ids)), Text)).text

    async def close(self, *, grace: float = GRACE_SECONDS) -> None:
        """End the worker: ask it to, and kill it if it has not gone after `grace` seconds. Open requests fail."""
        if not self.ended.done():
            self._fate = self._fate or WorkerDiedError("the model was unloaded while it was answering")
            self._write(Shutdown())
        try:
            gone = await self._gone_within(grace)
        except asyncio.CancelledError:
            self.kill()
            raise
        if not gone:
            _log.warning("a worker did not end when asked to and is killed (pid %d)", self.pid)
            await self._abandon(grace)

    def kill(self) -> None:
        """End the worker at once."""
        if self._connection is not None:
            self._connection.kill()

    async def _abandon(self, grace: float = GRACE_SECONDS) -> None:
        """Kill the worker and see that it is gone."""
        self._handshake.cancel()
        if self._connection is None:
            return
        self.kill()
        if not await self._gone_within(grace):
            _log.error("a worker survived being killed (pid %d)", self.pid)

    async def _gone_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait({self.ended}, timeout=seconds)
        return bool(done)

    async def _ask(self, message: Embed | Rank | Tokenize | Detokenize | Fingerprint, kind: type[Answer]) -> Answer:
        """Send a message that has one answer, and wait for it."""
        future = self._answers[message.id] = self._loop.create_future()
        try:
            self._send(message)
            answer = await future
        finally:
            del self._answers[message.id]
            if future.cancelled():
                self._drop(message.id)
        if not isinstance(answer, kind):
            raise ProtocolError("the worker answered something else than it was asked", reason=f"{answer!r:.200}")
        return answer

    def _send(self, message: ToWorker) -> None:
        """Send a request.

        Raises:
            WorkerDiedError: the worker has ended or is about to.
            ProtocolError: the message is too long.
        """
        if not self.alive:
            raise self._death()
        if not self._mailboxes and not self._answers:
            self._heard = self._loop.time()
        self._write(message)

    def _write(self, message: ToWorker) -> None:
        if self._connection is not None:
            self._connection.send(encode(message))

    def _drop(self, id: int) -> None:  # noqa: A002 - the field's name on the wire
        if self.alive:
            self._write(Cancel(id))

    def _on_frame(self, frame: bytes) -> None:
        self._heard = self._loop.time()
        try:
            message = decode_from_worker(frame)
        except ProtocolError as error:
            self._doom(error)
            return
        match message:
            case Step():
                self.usage = message.usage or self.usage
                for delta in message.deltas:
                    mailbox = self._mailboxes.get(delta.id)
                    if mailbox is not None and not mailbox.put(delta):
                        self._drop(delta.id)
            case Embedded() | Ranked() | Tokens() | Text():
                future = self._answers.get(message.id)
                if future is not None and not future.done():
                    future.set_result(message)
            case Failed(id=0):
                self._doom(error_from(message.fault))
            case Failed():
                self._fail(message.id, error_from(message.fault))
            case Ready():
                self._on_ready(message)
            case Goodbye():
                _log.debug("the worker with pid %d says goodbye: %s", self.pid, message.reason)

    def _on_ready(self, ready: Ready) -> None:
        if ready.protocol != PROTOCOL_VERSION:
            versions = f"{ready.protocol}, this server {PROTOCOL_VERSION}"
            self._doom(ProtocolError(f"the worker speaks version {versions}; install the same camelid on both sides"))
        elif not self._handshake.done():
            self.usage = ready.usage
            self._handshake.set_result(ready)

    def _fail(self, id: int, error: CamelidError) -> None:  # noqa: A002 - the field's name on the wire
        """End one request with an error."""
        future = self._answers.get(id)
        if future is not None and not future.done():
            future.set_exception(error)
        mailbox = self._mailboxes.get(id)
        if mailbox is not None:
            mailbox.fail(error)

    def _doom(self, error: CamelidError) -> None:
        """The worker is of no further use: tell whoever waits, and end it."""
        if self._fate is not None:
            return
        self._fate = error
        if not self._handshake.done():
            self._handshake.set_exception(error)
        self._fail_all()
        self.kill()

    def _on_end(self, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(reason)
        if self._watcher is not None:
            self._watcher.cancel()
        if not self._handshake.done():
            self._handshake.set_exception(self._death())
        self._fail_all()

    def _fail_all(self) -> None:
        for id in [*self._mailboxes, *self._answers]:  # noqa: A001 - the field's name on the wire
            self._fail(id, self._death())

    def _death(self) -> WorkerError:
        """Why nothing can be asked of this worker; a new error for each who asks, as each gets its own traceback."""
        fate = self._fate
        if isinstance(fate, WorkerError):
            return type(fate)(fate.message, reason=fate.reason, plugin=fate.plugin)
        reason = self.ended.result() if self.ended.done() else ""
        if fate is not None:
            reason = f"{fate.message}: {fate.reason}\n{reason}".rstrip()
        return WorkerDiedError(_STOPPED, reason=reason)

    async def _watch(self) -> None:
        """Find out whether a worker that is silent over its requests is still there, and end it if not."""
        while True:
            await asyncio.sleep(self._silence)
            silent = self._loop.time() - self._heard >= self._silence
            if not silent or not (self._mailboxes or self._answers):
                continue
            try:
                async with asyncio.timeout(self._patience):
                    await self.tokenize("", add_special=False, parse_special=False)
            except TimeoutError:
                reason = f"no sign of life for {self._silence + self._patience:g} seconds"
                self._doom(WorkerTimeoutError("the model no longer answers and was stopped; try again", reason=reason))
                return
            except CamelidError as error:
                # Any answer is a sign of life.
                _log.debug("a worker answered a ping with %r", error)
