"""Edited plugins are loaded anew; a broken one keeps its backends, with the reason, until it is mended."""

import gc
import importlib.util
import os
import sys
import weakref
from importlib.machinery import ExtensionFileLoader

import pytest

from camelid.plugins.host import PluginHost
from camelid.plugins.record import PluginStatus


@pytest.fixture
def edit(tmp_path):
    """Replaces a piece of an installed plugin's module; its times stay whole seconds, as old file systems have them."""

    def edit(name: str, old: str, new: str) -> None:
        path = tmp_path / f"installed_dist_{name}.py"
        text = path.read_text()
        assert old in text
        before = path.stat()
        path.write_text(text.replace(old, new))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))

    return edit


def status(host: PluginHost, name: str) -> tuple[PluginStatus, str]:
    (record,) = [record for record in host.records if record.name == name]
    return record.status, record.reason


@pytest.fixture
def host(install, backend_source) -> PluginHost:
    install("one", backend_source("first"))
    install("two", backend_source("second"))
    host = PluginHost.load(only={"one", "two"})
    host.watch()
    return host


def test_nothing_happens_without_an_edit(host):
    before = dict(host.catalog.backends)
    assert not host.reload_edited()
    assert host.catalog.backends == before


def test_an_edit_of_the_same_size_within_a_second_is_seen(host, edit):
    edit("one", '"first"', '"fresh"')
    assert host.reload_edited()
    assert {name: each.revision for name, each in host.catalog.backends.items()} == {"second": 0, "fresh": 1}
    edit("one", '"fresh"', '"forth"')
    assert host.reload_edited()
    assert host.catalog.backends["forth"].revision == 2
    assert not host.reload_edited()


def test_a_broken_edit_keeps_the_backends_with_the_reason_and_a_good_one_heals(host, edit):
    edit("one", "CAMELID_API = 1", "CAMELID_API = = 1")
    assert host.reload_edited()
    broken, reason = status(host, "one")
    assert broken is PluginStatus.BROKEN
    assert "SyntaxError: invalid syntax (installed_dist_one.py, line " in reason
    backend = host.catalog.backends["first"]
    assert (backend.broken, backend.revision) == (reason, 1)
    assert host.catalog.backends["second"].broken == ""
    edit("one", "CAMELID_API = = 1", "CAMELID_API = 2")
    assert host.reload_edited()
    assert "upgrade camelid: pip install --upgrade camelid" in host.catalog.backends["first"].broken
    edit("one", "CAMELID_API = 2", "CAMELID_API = 1")
    assert host.reload_edited()
    assert status(host, "one") == (PluginStatus.LOADED, "")
    backend = host.catalog.backends["first"]
    assert (backend.broken, backend.revision) == ("", 3)


def test_a_name_that_another_plugin_has_breaks_only_the_edited_one(host, edit):
    edit("one", '"first"', '"second"')
    assert host.reload_edited()
    assert "which dist-two has already" in status(host, "one")[1]
    assert (host.catalog.backends["second"].plugin, host.catalog.backends["second"].broken) == ("two", "")


def test_a_plugin_that_tokenizes_for_others_is_in_every_worker(install, backend_source, edit):
    tokenizer = "@hookimpl\ndef camelid_tokenizer(model): return None\n"
    install("one", backend_source("first"))
    install("words", tokenizer)
    install("own", backend_source("other") + tokenizer)
    host = PluginHost.load(only={"one", "own", "words"})
    host.watch()
    edit("words", "CAMELID_API = 1", "CAMELID_API = 3")
    assert host.reload_edited()
    assert (host.catalog.tokenizers, host.catalog.backends["first"].revision) == ((), 1)
    edit("words", "CAMELID_API = 3", "CAMELID_API = 1")
    assert host.reload_edited()
    assert (host.catalog.tokenizers, host.catalog.backends["first"].revision) == (("words",), 2)
    edit("own", '"other"', '"third"')
    assert host.reload_edited()
    assert {name: each.revision for name, each in host.catalog.backends.items()} == {"first": 2, "third": 3}


def test_a_package_of_several_files_is_watched(tmp_path, install, backend_source):
    install("big", backend_source("toy"))
    (tmp_path / "installed_dist_big.py").rename(tmp_path / "moved.py")
    package = tmp_path / "installed_dist_big"
    package.mkdir()
    (package / "__init__.py").write_text("from installed_dist_big.plugin import *\nCAMELID_API = 1\n")
    (package / "plugin.py").write_text((tmp_path / "moved.py").read_text())
    host = PluginHost.load(only={"big"})
    host.watch()
    (package / "more.py").write_text("")
    assert host.reload_edited()
    (package / "more.py").unlink()
    assert host.reload_edited()
    assert status(host, "big") == (PluginStatus.LOADED, "")
    assert host.catalog.backends["toy"].revision == 2


def test_two_plugins_of_one_name_are_not_taken_for_edits_of_each_other(install, backend_source):
    install("one", backend_source("first"))
    install("one", backend_source("second"), package="other-one")
    host = PluginHost.load(only={"one"})
    host.watch()
    assert not host.reload_edited()


def test_what_is_in_machine_language_stays_for_a_process_cannot_load_it_twice(tmp_path, install, monkeypatch):
    install("fast")
    # Any will do: one of Python's own, under a name within the plugin's package.
    compiled = importlib.util.find_spec("_ctypes")
    assert isinstance(compiled.loader, ExtensionFileLoader)
    package = tmp_path / "installed_dist_fast"
    package.mkdir()
    (tmp_path / "installed_dist_fast.py").rename(package / "__init__.py")
    (package / "__init__.py").write_text("from installed_dist_fast import words, native\nCAMELID_API = 1\n")
    (package / "words.py").write_text("SAID = 1\n")
    native = importlib.util.module_from_spec(compiled)
    monkeypatch.setitem(sys.modules, "installed_dist_fast.native", native)
    host = PluginHost.load(only={"fast"})
    host.watch()
    (package / "words.py").write_text("SAID = 22\n")
    assert host.reload_edited()
    assert status(host, "fast") == (PluginStatus.LOADED, "")
    assert sys.modules["installed_dist_fast.native"] is native
    assert sys.modules["installed_dist_fast.words"].SAID == 22


def test_what_was_edited_away_leaves_memory(host, edit):
    forgotten = []
    for before, after in [("first", "fresh"), ("fresh", "forth")]:
        forgotten.append(weakref.ref(sys.modules["installed_dist_one"]))
        edit("one", f'"{before}"', f'"{after}"')
        assert host.reload_edited()
    gc.collect()
    assert [module() for module in forgotten] == [None, None]
