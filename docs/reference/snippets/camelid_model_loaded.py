"""A line in the log for each model that takes longer than half a second to load."""

import logging

from camelid import hookimpl
from camelid.types.events import ModelLoaded

CAMELID_API = 1
SLOW_SECONDS = 0.5

log = logging.getLogger("slow_loads")


@hookimpl
def camelid_model_loaded(event: ModelLoaded) -> None:
    """Runs in a thread of its own, after the model is there."""
    seconds = event.load_duration / 1e9
    if seconds > SLOW_SECONDS:
        size = sum(use.total for use in event.memory)
        log.warning("%s on %s: %.1f s for %.1f MB", event.model, event.backend, seconds, size / 1e6)
