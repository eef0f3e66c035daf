import logging
from types import ModuleType

import pytest

from camelid.errors import (
    HookError,
    MissingDependencyError,
    ModelLoadError,
    ModelMemoryError,
    PluginError,
    PluginLoadError,
)
from camelid.hookspecs import hookimpl
from camelid.plugins.host import PluginHost
from camelid.plugins.record import BackendRecord, PluginRecord, PluginStatus
from camelid.types.artifact import ModelArtifact, ModelFile
from camelid.types.loading import LoadOptions

ARTIFACT = ModelArtifact(name="toy", format="toy", files=(ModelFile(path="/nowhere"),))

MODEL = """
from camelid.types.facts import ModelFacts

class Model(camelid.LoadedModel):
    facts = ModelFacts(architecture="toy", vocabulary_size=2, trained_context=8, context_length=8)
    def memory(self): return ()
    def close(self): pass

class Letters(camelid.Tokenizer):
    vocabulary_size = 2
    end_tokens = frozenset()
    def encode(self, text, *, add_special, parse_special): return []
    def token_bytes(self, token): return b"x"

@hookimpl
def camelid_load_model(artifact): return Model()
"""


def record(host: PluginHost, name: str) -> PluginRecord:
    (found,) = [record for record in host.records if record.name == name]
    return found


def call_all_worker_hooks(host: PluginHost):
    model = host.load_model("toy", ARTIFACT, LoadOptions())
    tokenizer = host.tokenizer("toy", model, ARTIFACT)
    host.generator("toy", model, tokenizer)
    host.embedder("toy", model, tokenizer)
    host.ranker("toy", model, tokenizer)


def test_a_plugin_is_found_by_its_entry_point_and_registers(install, backend_source):
    install("good", backend_source("toy"))
    host = PluginHost.load(only={"good"})
    assert record(host, "good") == PluginRecord(
        name="good",
        distribution="dist-good",
        version="2.5",
        module="installed_dist_good",
        status=PluginStatus.LOADED,
        hooks=("camelid_backends",),
        backends=(BackendRecord("toy", ("toy",), ()),),
    )
    assert host.catalog.backends["toy"].plugin == "good"
    assert host.catalog.backends["toy"].distribution == "dist-good"


@pytest.mark.parametrize(
    ("source", "api", "reason"),
    [
        ("import surely_missing_module", "CAMELID_API = 1", "needs the module 'surely_missing_module'"),
        ("import ctypes; ctypes.CDLL('libsurelymissing.so')", "CAMELID_API = 1", "libsurelymissing.so"),
        ("from json import no_such_name", "CAMELID_API = 1", "no_such_name"),
        ("def broken(:", "CAMELID_API = 1", "SyntaxError"),
        ("raise SystemExit(3)", "CAMELID_API = 1", "SystemExit: 3"),
        ("1 / 0", "CAMELID_API = 1", "ZeroDivisionError: division by zero in installed_dist_bad.py, line 8"),
        ("", "", "(CAMELID_API = 1 in its module); upgrade dist-bad"),
        ("", "CAMELID_API = '1'", "(CAMELID_API = 1 in its module); upgrade dist-bad"),
        ("", "CAMELID_API = 0", "version 0 of the plugin API and this is version 1; upgrade dist-bad"),
        ("", "CAMELID_API = 2", "version 2 of the plugin API and this is version 1; upgrade camelid:"),
        (
            "@hookimpl\ndef camelid_backend(register): pass",
            "CAMELID_API = 1",
            "there is no hook camelid_backend; camelid_backends is meant?",
        ),
        (
            "@hookimpl\ndef camelid_backends(registre): pass",
            "CAMELID_API = 1",
            "camelid_backends has no argument registre; it may take register",
        ),
        ("def camelid_backends(register): pass", "CAMELID_API = 1", "camelid_backends is not marked with @hookimpl"),
        (
            "@hookimpl\ndef camelid_backends(register): raise KeyError('x')",
            "CAMELID_API = 1",
            "raised KeyError in installed_dist_bad.py, line 9: 'x'",
        ),
        ("@hookimpl\nasync def camelid_backends(register): pass", "CAMELID_API = 1", "camelid_backends is async"),
        ("@hookimpl\nasync def camelid_load_model(artifact): pass", "CAMELID_API = 1", "camelid_load_model is async"),
        (
            "async def later(): pass\n@hookimpl\ndef camelid_backends(register): return later()",
            "CAMELID_API = 1",
            "camelid_backends returned a coroutine",
        ),
        ("@hookimpl\ndef camelid_backends(register): register('toy')", "CAMELID_API = 1", "no BackendDescriptor"),
        (
            "@hookimpl\ndef camelid_backends(register): register(BackendDescriptor('x', 'gguf', frozenset()))",
            "CAMELID_API = 1",
            "whose formats are 'gguf', not a frozenset",
        ),
        (
            "@hookimpl\ndef camelid_backends(register): register(BackendDescriptor('x', frozenset(), frozenset({3})))",
            "CAMELID_API = 1",
            "not a frozenset of Capability",
        ),
        (
            "f = frozenset()\n@hookimpl\ndef camelid_backends(register): register(BackendDescriptor('x',f,f,'',dict))",
            "CAMELID_API = 1",
            "whose options are <class 'dict'>",
        ),
        (
            (
                "f = frozenset()\n@hookimpl\ndef camelid_backends(register):\n"
                "    register(BackendDescriptor('x', f, f, sees_within=['gemma3']))"
            ),
            "CAMELID_API = 1",
            "whose sees_within are ['gemma3'], not a frozenset",
        ),
        *(
            (
                (
                    "f = frozenset()\n@hookimpl\ndef camelid_backends(register):\n"
                    f"    register(BackendDescriptor('x', frozenset({{'a'}}), f, endings={endings}))"
                ),
                "CAMELID_API = 1",
                problem,
            )
            for endings, problem in (
                ("['.a']", "whose endings are ['.a'], not formats by the ending"),
                ("{'a': 'a'}", "whose endings have 'a', not an ending in small letters like '.rwkv'"),
                ("{'.A': 'a'}", "whose endings have '.A', not an ending"),
                ("{'./a': 'a'}", "whose endings have './a', not an ending"),
                ("{3: 'a'}", "whose endings have 3, not an ending"),
                ("{'.b': 'b'}", "whose endings name 'b', which is none of its formats"),
            )
        ),
        (
            "@hookimpl\ndef camelid_backends(register): register(BackendDescriptor('', frozenset(), frozenset()))",
            "CAMELID_API = 1",
            "whose name is ''",
        ),
        ("@hookimpl\ndef camelid_registries(register): register(3)", "CAMELID_API = 1", "no Registry"),
        ("@hookimpl\ndef camelid_placements(register): register(3)", "CAMELID_API = 1", "no Placement"),
    ],
)
def test_a_broken_plugin_is_a_record_and_the_others_work(install, backend_source, source, api, reason):
    install("bad", source, api=api)
    install("good", backend_source("toy"))
    host = PluginHost.load(only={"bad", "good"})
    assert record(host, "bad").status is PluginStatus.BROKEN
    assert reason in record(host, "bad").reason
    assert "dist-bad" in record(host, "bad").reason
    assert record(host, "good").status is PluginStatus.LOADED
    assert list(host.catalog.backends) == ["toy"]


def test_an_entry_point_that_is_no_module_is_refused(install):
    install("bad", "thing = 3", entry="installed_dist_bad:thing")
    assert "is no module" in record(PluginHost.load(only={"bad"}), "bad").reason


def test_a_duplicate_backend_breaks_the_second_plugin_and_nothing_of_it_stays(install, backend_source):
    install("first", backend_source("toy"))
    install(
        "second",
        """
        @hookimpl
        def camelid_backends(register):
            register(BackendDescriptor("other", frozenset(), frozenset()))
            register(BackendDescriptor("toy", frozenset(), frozenset()))
        """,
    )
    host = PluginHost.load(only={"first", "second"})
    assert "'toy', which dist-first has already" in record(host, "second").reason
    assert {name: backend.plugin for name, backend in host.catalog.backends.items()} == {"toy": "first"}


def test_two_distributions_cannot_share_an_entry_point_name(install, backend_source):
    install("same", backend_source("one"), package="dist-one")
    install("same", backend_source("two"), package="dist-two")
    host = PluginHost.load(only={"same"})
    first, second = [record for record in host.records if record.name == "same"]
    assert (first.status, second.status) == (PluginStatus.LOADED, PluginStatus.BROKEN)
    assert second.backends == ()
    assert f"as {first.distribution} does; uninstall one of them" in second.reason


def test_plugins_that_the_settings_leave_out_are_not_imported(install):
    install("denied", "raise AssertionError")
    install("unnamed", "raise AssertionError")
    denied = record(PluginHost.load(only={"denied"}, disabled={"denied"}), "denied")
    assert (denied.status, denied.reason) == (PluginStatus.DISABLED, "the setting disabled_plugins names it")
    unnamed = record(PluginHost.load(only=set()), "unnamed")
    assert (unnamed.status, unnamed.reason) == (PluginStatus.DISABLED, "the setting plugins does not name it")


def test_a_name_in_the_settings_that_is_not_installed_is_a_broken_record_and_a_warning(caplog):
    missing = record(PluginHost.load(only={"lamacpp"}), "lamacpp")
    assert missing.status is PluginStatus.BROKEN
    assert "it is not installed; installed are: " in missing.reason
    assert f"plugin lamacpp is broken: {missing.reason}" in caplog.messages


def test_built_in_plugins_come_first_are_always_on_and_can_be_disabled():
    module = ModuleType("built_in")

    @hookimpl
    def camelid_placements(register):
        """Register nothing."""

    module.CAMELID_API = 1
    module.camelid_placements = camelid_placements
    host = PluginHost.load(only=set(), builtins={"core": module})
    assert (host.records[0].name, host.records[0].distribution) == ("core", "camelid")
    assert host.records[0].status is PluginStatus.LOADED
    host = PluginHost.load(only=set(), builtins={"core": module}, disabled={"core"})
    assert host.records[0].status is PluginStatus.DISABLED


def test_a_worker_is_asked_for_backends_only(install, backend_source):
    install("both", backend_source("toy") + "@hookimpl\ndef camelid_registries(register): 1 / 0")
    assert record(PluginHost.load(only={"both"}), "both").status is PluginStatus.BROKEN
    assert record(PluginHost.load(only={"both"}, process="worker"), "both").backends == (
        BackendRecord("toy", ("toy",), ()),
    )


def test_the_worker_hooks_give_what_the_plugin_made(install):
    install("toy", MODEL + "@hookimpl\ndef camelid_tokenizer(model): return Letters()")
    host = PluginHost.load(only={"toy"})
    model = host.load_model("toy", ARTIFACT, LoadOptions())
    assert model.facts.architecture == "toy"
    tokenizer = host.tokenizer("toy", model, ARTIFACT)
    assert tokenizer.decode([0, 1]) == b"xx"
    assert host.generator("toy", model, tokenizer) is None
    assert host.embedder("toy", model, tokenizer) is None


def test_another_plugin_may_bring_the_tokenizer_but_the_own_one_is_asked_first(install):
    own = MODEL + "@hookimpl\ndef camelid_tokenizer(model): return None"
    install("a-other", MODEL + "@hookimpl\ndef camelid_tokenizer(model, artifact): return Letters()")
    install("toy", own)
    host = PluginHost.load(only={"toy", "a-other"})
    model = host.load_model("toy", ARTIFACT, LoadOptions())
    found = host.tokenizer("toy", model, ARTIFACT, others=("a-other",))
    assert type(found).__module__ == "installed_dist_a_other"
    found = host.tokenizer("a-other", model, ARTIFACT, others=("toy",))
    assert type(found).__module__ == "installed_dist_a_other"
    with pytest.raises(MissingDependencyError, match="dist-toy leaves text to other plugins, and none is installed"):
        host.tokenizer("toy", model, ARTIFACT)


def test_the_tokenizer_that_somebody_wants_goes_before_the_own_one(install):
    install("toy", MODEL + "@hookimpl\ndef camelid_tokenizer(model): return Letters()")
    install("a-other", MODEL + "@hookimpl\ndef camelid_tokenizer(model): return Letters()")
    install("b-other", "@hookimpl\ndef camelid_tokenizer(model): return None")
    host = PluginHost.load(only={"toy", "a-other", "b-other"})
    assert host.catalog.tokenizers == ("a-other", "b-other", "toy")
    model = host.load_model("toy", ARTIFACT, LoadOptions())
    found = host.tokenizer("toy", model, ARTIFACT, others=("a-other",), wanted="a-other")
    assert type(found).__module__ == "installed_dist_a_other"
    with pytest.raises(ModelLoadError, match="the plugin b-other has no tokenizer for model"):
        host.tokenizer("toy", model, ARTIFACT, others=("b-other",), wanted="b-other")


def test_a_tokenizer_for_others_must_be_for_the_models_vocabulary(install):
    install("toy", MODEL)
    more = "class More(Letters):\n    vocabulary_size = 3\n"
    install("a-other", MODEL + more + "@hookimpl\ndef camelid_tokenizer(model): return More()")
    host = PluginHost.load(only={"toy", "a-other"})
    model = host.load_model("toy", ARTIFACT, LoadOptions())
    with pytest.raises(HookError, match="dist-a-other: camelid_tokenizer gave a tokenizer of 3 tokens for a model of"):
        host.tokenizer("toy", model, ARTIFACT, others=("a-other",))


@pytest.mark.parametrize(
    ("hook", "result", "complaint"),
    [
        ("camelid_load_model(artifact)", "3", "dist-toy: camelid_load_model returned a int, not a LoadedModel"),
        ("camelid_load_model(artifact)", "None", "dist-toy: camelid_load_model returned None, not a LoadedModel"),
        ("camelid_tokenizer(model)", "'x'", "dist-toy: camelid_tokenizer returned a str, not a Tokenizer"),
        ("camelid_generator(model)", "[]", "dist-toy: camelid_generator returned a list, not a Decoder"),
        ("camelid_embedder(model)", "{}", "dist-toy: camelid_embedder returned a dict, not an Embedder"),
        ("camelid_ranker(model)", "{}", "dist-toy: camelid_ranker returned a dict, not a Ranker"),
        ("camelid_embedder(model)", "later()", "dist-toy: camelid_embedder returned a coroutine"),
    ],
)
def test_a_wrong_result_names_plugin_and_hook(install, hook, result, complaint):
    source = MODEL + "@hookimpl\ndef camelid_tokenizer(model): return Letters()\nasync def later(): pass\n"
    install("toy", source + f"@hookimpl\ndef {hook}: return {result}")
    host = PluginHost.load(only={"toy"})
    with pytest.raises(HookError) as caught:
        call_all_worker_hooks(host)
    assert caught.value.message.startswith(complaint)
    assert caught.value.plugin == "dist-toy"


@pytest.mark.parametrize(
    ("body", "error", "message", "reason"),
    [
        ("raise ValueError('bad header')", HookError, "dist-toy: camelid_load_model raised ValueError", "bad header"),
        ("raise SystemExit", HookError, "dist-toy: camelid_load_model raised SystemExit", ""),
        ("import surely_missing", MissingDependencyError, "dist-toy needs surely_missing", "surely_missing"),
        ("raise MemoryError", ModelMemoryError, "not enough memory to load the model", ""),
        (
            "from camelid.errors import ModelLoadError; raise ModelLoadError('no such tensor', reason='why')",
            ModelLoadError,
            "no such tensor",
            "why",
        ),
    ],
)
def test_what_a_worker_hook_raises_becomes_a_named_error(install, body, error, message, reason):
    install("toy", f"@hookimpl\ndef camelid_load_model(artifact):\n  {body}")
    host = PluginHost.load(only={"toy"})
    with pytest.raises(error) as caught:
        host.load_model("toy", ARTIFACT, LoadOptions())
    assert type(caught.value) is error
    assert caught.value.message.startswith(message)
    assert reason in caught.value.reason
    assert caught.value.plugin == "dist-toy"


def test_using_a_plugin_that_is_not_loaded_says_why(install):
    install("bad", "1 / 0")
    host = PluginHost.load(only={"bad"})
    with pytest.raises(PluginError, match=r"'bad' is broken: .*ZeroDivisionError"):
        host.load_model("bad", ARTIFACT, LoadOptions())
    with pytest.raises(PluginLoadError, match="there is no plugin 'ghost'"):
        host.load_model("ghost", ARTIFACT, LoadOptions())


def test_hook_calls_can_be_traced(install, backend_source, monkeypatch, caplog):
    install("toy", backend_source("toy") + MODEL)
    caplog.set_level(logging.INFO, "camelid.plugins")
    PluginHost.load(only={"toy"}).load_model("toy", ARTIFACT, LoadOptions())
    assert caplog.messages == []
    monkeypatch.setenv("CAMELID_TRACE_PLUGINS", "1")
    PluginHost.load(only={"toy"}).load_model("toy", ARTIFACT, LoadOptions())
    assert any(text.startswith("toy: camelid_load_model(artifact=ModelArtifact(name='toy'") for text in caplog.messages)
    assert any(text.startswith("toy: camelid_load_model -> <installed_dist_toy.Model") for text in caplog.messages)
