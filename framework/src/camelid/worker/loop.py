"""The worker's main loop: take what came in, compute a step, send what it brought."""

import logging
from collections.abc import Callable
from typing import Final

from camelid.errors import ProtocolError
from camelid.wire.faults import fault_from
from camelid.wire.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Convert,
    Detokenize,
    Embed,
    Failed,
    Fingerprint,
    FromWorker,
    Goodbye,
    Rank,
    Shutdown,
    Start,
    Submit,
    Text,
    Tokenize,
    Tokens,
    ToWorker,
)
from camelid.worker.conversion import convert
from camelid.worker.embedding import EmbeddingJob
from camelid.worker.generation import Generation
from camelid.worker.jobs import JobQueue
from camelid.worker.outbox import FRAME_SECONDS, Outbox
from camelid.worker.pipes import Inbox
from camelid.worker.prompt import check_tokens
from camelid.worker.ranking import RankingJob
from camelid.worker.scoring import vocabulary_digest
from camelid.worker.session import Session, blame

__all__ = ("EXIT_BROKEN", "EXIT_NOT_LOADED", "EXIT_OK", "WorkerLoop")

EXIT_OK: Final = 0
EXIT_NOT_LOADED: Final = 1
"""The model could not be loaded, or not be converted; `Failed` said why."""
EXIT_BROKEN: Final = 70
"""Camelid itself failed (EX_SOFTWARE)."""

_log = logging.getLogger("camelid.worker")


class WorkerLoop:
    """Serves or converts one model from the first message to the last, on the thread that calls `run`: the engine
    thread.
    """

    def __init__(
        self, inbox: Inbox, emit: Callable[[FromWorker], None], *, frame_seconds: float = FRAME_SECONDS
    ) -> None:
        """Prepare to run.

        Args:
            inbox: what the server sends; None ends the loop.
            emit: takes what the server shall get.
            frame_seconds: least time between two frames of running answers.
        """
        self._inbox = inbox
        self._emit = emit
        self._frame_seconds = frame_seconds

    def run(self) -> int:
        """Load, say `Ready`, serve until `Shutdown` or until the server is gone. Or convert, if that is what was asked.

        Returns:
            The exit status for a process that has nothing else to do.
        """
        first = self._inbox.get()
        if isinstance(first, Convert):
            return EXIT_OK if convert(first, self._inbox, self._emit) else EXIT_NOT_LOADED
        session = self._load(first)
        if session is None:
            return EXIT_NOT_LOADED
        try:
            self._serve(_Service(session, self._emit, self._frame_seconds))
        except Exception as error:  # noqa: BLE001 - the last resort: say why, then end
            _log.critical("the worker failed", exc_info=error)
            self._emit(Failed(0, fault_from(error)))
            session.close()
            return EXIT_BROKEN
        session.close()
        self._emit(Goodbye())
        return EXIT_OK

    def _load(self, start: ToWorker | None) -> Session | None:
        """Do what `Start` says; None if that came to nothing."""
        try:
            if not isinstance(start, Start):
                raise ProtocolError("the worker was not told what to load", reason=f"first message: {start!r}")
            if start.protocol != PROTOCOL_VERSION:
                versions = f"server {start.protocol}, worker {PROTOCOL_VERSION}"
                raise ProtocolError("server and worker are of different versions; restart the server", reason=versions)
            session = Session(start)
        except Exception as error:  # noqa: BLE001 - loading runs a backend's code, which may raise anything
            self._emit(Failed(0, blame(error, start.plugin if isinstance(start, Start) else "")))
            return None
        self._emit(session.ready)
        return session

    def _serve(self, service: "_Service") -> None:
        inbox = self._inbox
        while True:
            while not (service.busy and inbox.empty()):
                if inbox.empty():
                    service.rest()
                message = inbox.get()
                if message is None or isinstance(message, Shutdown):
                    return
                service.take(message)
            service.step()


class _Service:
    """What a loaded model does for each message."""

    def __init__(self, session: Session, emit: Callable[[FromWorker], None], frame_seconds: float) -> None:
        self._session = session
        self._emit = emit
        self._generation = Generation(session)
        self._outbox = Outbox(emit, session.usage, frame_seconds)
        self._jobs = JobQueue(session)

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return self._generation.busy or self._jobs.busy

    def step(self) -> None:
        """Compute a little of everything; what it brings leaves in one frame for all answers."""
        if self._generation.busy:
            self._outbox.put(self._generation.step())
        if self._jobs.busy:
            answer = self._jobs.step(alone=not self._generation.busy)
            if answer is not None:
                self._emit(answer)

    def rest(self) -> None:
        """Nothing is to be done until the next message."""
        self._outbox.rest()

    def take(self, message: ToWorker) -> None:
        """Do, or begin, what a message asks for."""
        match message:
            case Submit():
                self._generation.submit(message)
            case Cancel():
                self._generation.cancel(message.id)
                self._outbox.forget(message.id)
                self._jobs.cancel(message.id)
            case Embed():
                self._jobs.submit(EmbeddingJob(message, self._session))
            case Rank():
                self._jobs.submit(RankingJob(message, self._session))
            case Tokenize() | Detokenize() | Fingerprint():
                self._emit(self._convert(message))
            case _:
                _log.error("unexpected message: %s", type(message).__name__)

    def _convert(self, message: Tokenize | Detokenize | Fingerprint) -> Tokens | Text | Failed:
        """Text to tokens, or back; or a digest of them all."""
        tokenizer = self._session.tokenizer
        try:
            if isinstance(message, Fingerprint):
                return Text(message.id, vocabulary_digest(tokenizer))
            if isinstance(message, Tokenize):
                tokens = tokenizer.encode(
                    message.text, add_special=message.add_special, parse_special=message.parse_special
                )
                return Tokens(message.id, tuple(tokens))
            check_tokens(message.tokens, tokenizer)
            return Text(message.id, tokenizer.decode(message.tokens).decode("utf-8", "replace"))
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, only this request may suffer
            return Failed(message.id, self._session.fault(error))
