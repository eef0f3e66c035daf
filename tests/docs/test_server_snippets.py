"""The snippets of hooks that surround the models: each is loaded as an installed plugin, and put to work."""

import json
import socket
import time

import pytest
from click.testing import CliRunner

from camelid.contracts.route import HttpRequest
from camelid.engine.choosing import BackendChooser, ModelNeeds
from camelid.errors import RequestError, StoreError
from camelid.plugins.catalog import Catalog, RegisteredBackend
from camelid.plugins.host import PluginHost
from camelid.plugins.observers import Observers
from camelid.types.capabilities import Capability
from camelid.types.descriptor import BackendDescriptor
from camelid.types.events import ModelLoaded, ModelUnloaded, Outcome, Purpose, RequestFinished
from camelid.types.generation import Timings
from camelid.types.memory import MemoryUse


def observed(host: PluginHost, event) -> None:
    observers = Observers(host.with_hook)
    observers.tell(event)
    observers.close()


def test_camelid_routes(plugins):
    (registered,) = plugins("camelid_routes").catalog.routes
    answer = registered.route.handler(HttpRequest(method="GET", path="/status", query=(("most", "1e9"),)))
    assert (answer.status, list(json.loads(answer.body))) == (200, ["load"])
    assert registered.route.handler(HttpRequest(method="GET", path="/status", query=(("most", "-1"),))).status == 503
    with pytest.raises(RequestError, match="most must be a number"):
        registered.route.handler(HttpRequest(method="GET", path="/status", query=(("most", "x"),)))


def test_camelid_commands(plugins, tmp_path, monkeypatch):
    command, _ = plugins("camelid_commands", process="cli").commands["room"]
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path))
    assert CliRunner().invoke(command, ["--unit", "MB"]).output.endswith(" MB\n")
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "missing"))
    assert isinstance(CliRunner().invoke(command).exception, StoreError)


def test_camelid_choose_backend(plugins):
    descriptors = [
        BackendDescriptor("big", frozenset({"gguf"}), frozenset({Capability.COMPLETION, Capability.VISION})),
        BackendDescriptor("small", frozenset({"gguf"}), frozenset({Capability.COMPLETION})),
    ]
    catalog = Catalog({each.name: RegisteredBackend(each, each.name, each.name) for each in descriptors})
    chooser = BackendChooser(catalog, (), plugins("camelid_choose_backend").choose_backend)

    def choose(name, capability=Capability.COMPLETION):
        choice = chooser.choose(ModelNeeds(name=name, format="gguf", capabilities=[capability]))
        return choice.backend.name, choice.reason

    assert choose("tinyllama") == ("small", "the plugin camelid_choose_backend chose it")
    assert choose("tinyeyes", Capability.VISION)[0] == "big"
    assert choose("other")[0] == "big"


def test_camelid_model_loaded(plugins, caplog):
    event = ModelLoaded(
        at=0.0,
        model="m",
        digest="",
        backend="b",
        backend_reason="",
        runtime="",
        context_length=1,
        memory=(MemoryUse("cpu", 2_000_000),),
        load_duration=1_500_000_000,
    )
    observed(plugins("camelid_model_loaded"), event)
    assert caplog.messages == ["m on b: 1.5 s for 2.0 MB"]


@pytest.mark.parametrize("death", ["", "killed by SIGSEGV"])
def test_camelid_model_unloaded(plugins, tmp_path, monkeypatch, death):
    file = tmp_path / "deaths.jsonl"
    monkeypatch.setenv("DEATHS_FILE", str(file))
    observed(plugins("camelid_model_unloaded"), ModelUnloaded(at=1.0, model="m", digest="", backend="b", death=death))
    lines = [json.loads(line)["death"] for line in file.read_text().splitlines()] if file.exists() else []
    assert lines == ([death] if death else [])


def test_camelid_request_finished(plugins, monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as statsd:
        statsd.bind(("127.0.0.1", 0))
        statsd.settimeout(20)
        monkeypatch.setenv("STATSD_PORT", str(statsd.getsockname()[1]))
        event = RequestFinished(
            at=time.time(),
            purpose=Purpose.CHAT,
            model="m",
            digest="",
            backend="b",
            outcome=Outcome.FINISHED,
            timings=Timings(generated_tokens=3, total_duration=5_000_000),
        )
        observed(plugins("camelid_request_finished"), event)
        said = statsd.recv(1000).decode().splitlines()
    assert said == ["camelid.chat.finished:1|c", "camelid.chat.ms:5|ms", "camelid.chat.generated:3|c"]
