"""Plugins that choose a backend: the first answer counts, nonsense is logged and passed over."""

import pytest

from camelid.plugins import host as hosts
from camelid.plugins.host import PluginHost
from camelid.types.descriptor import BackendDescriptor
from camelid.types.selection import ModelToLoad

CANDIDATES = [BackendDescriptor(name, frozenset({"gguf"}), frozenset()) for name in ("fast", "slow")]


@pytest.mark.parametrize(
    ("first", "complaint"),
    [
        ("return None", ""),
        ("return 'ghost'", "dist-a: camelid_choose_backend chose 'ghost'; the candidates are fast, slow"),
        ("return 3", "dist-a: camelid_choose_backend chose 3"),
        ("return candidates[0]", "dist-a: camelid_choose_backend chose BackendDescriptor"),
        ("raise KeyError(model.name)", "dist-a: camelid_choose_backend raised KeyError in installed_dist_a.py"),
    ],
)
def test_the_first_good_answer_counts(install, caplog, first, complaint):
    install("a", f"@hookimpl\ndef camelid_choose_backend(model, candidates):\n    {first}")
    install("b", "@hookimpl\ndef camelid_choose_backend(model, candidates): return candidates[-1].name")
    install("c", "@hookimpl\ndef camelid_choose_backend(model, candidates): return 'fast'")
    host = PluginHost.load(only={"a", "b", "c"})
    assert host.choose_backend(ModelToLoad(name="bob", format="gguf"), CANDIDATES) == ("slow", "b")
    assert complaint in caplog.text
    assert bool(caplog.messages) is bool(complaint)


def test_nobody_chooses():
    assert PluginHost.load(only=()).choose_backend(ModelToLoad(name="bob", format="gguf"), CANDIDATES) is None


def test_one_that_never_answers_is_passed_over_with_its_name(install, caplog, monkeypatch):
    monkeypatch.setattr(hosts, "CHOOSING_SECONDS", 0.01)
    source = "import threading\n@hookimpl\ndef camelid_choose_backend(): threading.Event().wait()"
    install("a", source)
    host = PluginHost.load(only={"a"})
    assert host.choose_backend(ModelToLoad(name="bob", format="gguf"), CANDIDATES) is None
    assert caplog.messages == ["camelid_choose_backend took more than 0.01 s; the plugin a is passed over"]
