"""Observers hear everything in order; slow and broken ones harm nobody but themselves."""

import logging
import threading
import time

import pytest

from camelid.plugins.host import PluginHost
from camelid.plugins.observers import Observers
from camelid.types.events import ModelUnloaded

SOURCE = """
heard, gate = [], None

@hookimpl
def camelid_model_unloaded(event):
    if gate: gate.wait()
    heard.append(event.model)
"""


def gone(model: str) -> ModelUnloaded:
    return ModelUnloaded(at=0.0, model=model, digest="", backend="b")


def wait_for(condition) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.fixture
def observed(install):
    """Observers of one plugin, which has the given source; and its module."""

    def observed(source: str = SOURCE, **changes):
        install("ears", source)
        host = PluginHost.load(only={"ears"})
        import installed_dist_ears

        return Observers(host.with_hook, **changes), installed_dist_ears

    return observed


def test_events_are_heard_in_order_in_a_thread_that_ends(observed):
    observers, ears = observed()
    for number in range(100):
        observers.tell(gone(str(number)))
    observers.close()
    assert ears.heard == [str(number) for number in range(100)]
    assert "camelid-observers" not in {thread.name for thread in threading.enumerate()}


def test_a_slow_observer_stops_nobody_and_what_it_misses_is_counted_and_told_once(observed, caplog):
    observers, ears = observed(most=3)
    ears.gate = threading.Event()
    for number in range(20):
        observers.tell(gone(str(number)))
    # One may have left the queue for the observer that hangs.
    assert observers.dropped in (16, 17)
    assert caplog.messages.count("the plugin ears observes too slowly: events are dropped") <= 1
    ears.gate.set()
    observers.close()
    assert len(ears.heard) == 20 - observers.dropped
    assert caplog.messages[-1] == f"{observers.dropped} events were dropped because plugins observed too slowly"


def test_an_observer_that_raises_is_logged_once_with_its_name(observed, caplog):
    caplog.set_level(logging.INFO)
    observers, _ = observed("@hookimpl\ndef camelid_model_unloaded(event): raise ValueError('deaf')")
    for number in range(3):
        observers.tell(gone(str(number)))
    observers.close()
    (message,) = caplog.messages
    assert message.startswith("dist-ears: camelid_model_unloaded raised ValueError in installed_dist_ears.py, line ")
    assert message.endswith(": deaf")


def test_one_that_hangs_does_not_keep_the_server_from_ending_and_is_named(observed, caplog, monkeypatch):
    monkeypatch.setattr("camelid.plugins.observers.CLOSE_SECONDS", 0.01)
    observers, ears = observed()
    ears.gate = threading.Event()
    observers.tell(gone("a"))
    observers.close()
    ears.gate.set()
    assert caplog.messages == ["the plugin ears observes too slowly: what waits is dropped"]


def test_what_an_edited_observer_raises_is_logged_anew(install, tmp_path, caplog):
    install("ears", "@hookimpl\ndef camelid_model_unloaded(event): raise ValueError('deaf')")
    host = PluginHost.load(only={"ears"})
    host.watch()
    observers = Observers(host.with_hook)
    observers.tell(gone("a"))
    wait_for(lambda: "ValueError" in caplog.text)
    source = tmp_path / "installed_dist_ears.py"
    source.write_text(source.read_text().replace("ValueError('deaf')", "KeyError('still deaf')"))
    assert host.reload_edited()
    observers.tell(gone("b"))
    observers.close()
    assert "camelid_model_unloaded raised KeyError" in caplog.text


def test_without_observers_there_is_no_thread(observed):
    observers, _ = observed("")
    observers.tell(gone("m"))
    assert "camelid-observers" not in {thread.name for thread in threading.enumerate()}
    observers.close()
