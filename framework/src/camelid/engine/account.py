"""What a request took, kept for observers while it is served."""

import asyncio
import time
from typing import Final

import msgspec

from camelid.engine.request import LoadRequest
from camelid.errors import RequestCancelledError
from camelid.types.events import Outcome, Purpose, RequestFinished
from camelid.types.generation import Timings

__all__ = ("Account",)

_CANCELLED: Final = (asyncio.CancelledError, GeneratorExit, RequestCancelledError)
"""What a client's leaving, or the server's end, raises in whoever serves it."""


class Account:
    """Begins when a request asks for a model. Whoever serves it notes what is known of its counts and times."""

    def __init__(self) -> None:
        self.began = time.perf_counter_ns()
        self.backend = ""
        """Empty until the model is there."""
        self.generated = 0
        """Tokens so far."""
        self.timings: Timings | None = None
        """Of a request that was served to its end."""

    def closed(self, request: LoadRequest, purpose: Purpose, error: BaseException | None = None) -> RequestFinished:
        """The request ended: with `error`, or well."""
        outcome = Outcome.FINISHED
        # After its last token a client may leave as it likes.
        if error is not None and self.timings is None:
            outcome = Outcome.CANCELLED if isinstance(error, _CANCELLED) else Outcome.FAILED
        timings = self.timings or Timings(generated_tokens=self.generated)
        if not timings.total_duration:
            timings = msgspec.structs.replace(timings, total_duration=time.perf_counter_ns() - self.began)
        return RequestFinished(
            at=time.time(),
            purpose=purpose,
            model=request.name,
            digest=request.digest,
            backend=self.backend,
            outcome=outcome,
            error=type(error).__name__ if outcome is Outcome.FAILED else "",
            timings=timings,
        )
