"""Work that is not generation, in slices between its steps."""

from abc import ABC, abstractmethod
from collections import deque

from camelid.wire.messages import Embedded, Failed, Ranked
from camelid.worker.session import Session

__all__ = ("Job", "JobQueue")


class Job(ABC):
    """A request with many inputs, computed a few at a time."""

    __slots__ = ("id",)

    def __init__(self, id: int) -> None:  # noqa: A002 - the field's name on the wire
        self.id = id
        """Of the request."""

    @abstractmethod
    def advance(self, tokens: int) -> Embedded | Ranked | None:
        """Compute inputs of so many tokens, but at least one input.

        Returns:
            The answer, when it is complete.
        """


class JobQueue:
    """Jobs in order of arrival."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._jobs: deque[Job] = deque()
        self._batch_tokens = session.start.options.batch_tokens

    @property
    def busy(self) -> bool:
        """Whether `step` has anything to do."""
        return bool(self._jobs)

    def submit(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.append(job)

    def cancel(self, request: int) -> None:
        """Drop a request's job."""
        self._jobs = deque(job for job in self._jobs if job.id != request)

    def step(self, *, alone: bool) -> Embedded | Ranked | Failed | None:
        """Compute a slice of the oldest job: about a batch of tokens, or one input while answers wait for it.

        Returns:
            The answer, when it is complete.
        """
        job = self._jobs[0]
        answer: Embedded | Ranked | Failed | None
        try:
            answer = job.advance(self._batch_tokens if alone else 1)
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, only this request may suffer
            answer = Failed(job.id, self._session.fault(error))
        if answer is not None:
            self._jobs.popleft()
        return answer
