"""Tells plugins what happened, beside everything else: a slow observer slows nobody but other observers."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final
from weakref import WeakKeyDictionary

from camelid.errors import CamelidError
from camelid.plugins.plugin import Plugin
from camelid.types.events import Event, ModelLoaded, ModelUnloaded, RequestFinished

__all__ = ("HOOKS", "Observers")

_log = logging.getLogger("camelid.plugins")

HOOKS: Final[dict[type[Event], str]] = {
    ModelLoaded: "camelid_model_loaded",
    ModelUnloaded: "camelid_model_unloaded",
    RequestFinished: "camelid_request_finished",
}
MOST_WAITING: Final = 1000
"""Events. Further ones are dropped."""
CLOSE_SECONDS: Final = 2.0
"""For observers to take what waits when the server ends."""


class Observers:
    """A bounded queue of events, and the thread that takes them to the plugins. The thread begins with the first."""

    def __init__(
        self, observing: Callable[[str], Sequence[Plugin]] = lambda _: (), *, most: int = MOST_WAITING
    ) -> None:
        """Make an empty queue.

        Args:
            observing: the plugins that have a hook; asked for each event, since plugins may be loaded anew.
            most: events that may wait.
        """
        self._observing = observing
        self._waiting: queue.Queue[Event | None] = queue.Queue(most)
        self._thread: threading.Thread | None = None
        self._called = ""
        self._failed: WeakKeyDictionary[Plugin, set[str]] = WeakKeyDictionary()
        """The hooks that raised; of a plugin that is loaded anew, none."""
        self._closed = False
        self.dropped = 0
        """Events that found the queue full."""

    def tell(self, event: Event) -> None:
        """Take an event; never waits. Called on the event loop."""
        if self._closed or not self._observing(HOOKS[type(event)]):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="camelid-observers", daemon=True)
            self._thread.start()
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            self.dropped += 1
            if self.dropped == 1:
                _log.warning("the plugin %s observes too slowly: events are dropped", self._called)

    def close(self) -> None:
        """Let the observers take what waits, but not for long. Blocks."""
        self._closed = True
        if self._thread is not None:
            with suppress(queue.Full):
                self._waiting.put(None, timeout=CLOSE_SECONDS)
                self._thread.join(CLOSE_SECONDS)
            if self._thread.is_alive():
                _log.warning("the plugin %s observes too slowly: what waits is dropped", self._called)
        if self.dropped:
            _log.warning("%d events were dropped because plugins observed too slowly", self.dropped)

    def _run(self) -> None:
        while (event := self._waiting.get()) is not None:
            hook = HOOKS[type(event)]
            for plugin in self._observing(hook):
                self._called = plugin.name
                self._call(plugin, hook, event)

    def _call(self, plugin: Plugin, hook: str, event: Event) -> None:
        try:
            plugin.call(hook, event=event)
        except CamelidError as error:
            failed = self._failed.setdefault(plugin, set())
            level = logging.DEBUG if hook in failed else logging.ERROR
            failed.add(hook)
            _log.log(level, "%s: %s", error.message, error.reason, exc_info=error if level == logging.DEBUG else None)
