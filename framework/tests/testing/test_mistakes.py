"""An author's mistakes: each is found, and the sentence says what was expected, what came, and where to look."""

DECLARED = "test_what_is_declared_is_what_the_hooks_return"


def test_a_capability_that_is_declared_but_not_there(run_kit):
    run = run_kit("@hookimpl\ndef camelid_generator(model): return None\n", cases="declared_is or predict_is_exact")
    assert "the model declares 'completion', but `camelid_generator` returned None" in run.texts[DECLARED]
    assert "does not support generate" in run.texts["test_num_predict_is_exact[worker]"]


def test_a_capability_that_is_there_but_not_declared(run_kit):
    mistake = """
@hookimpl
def camelid_load_model(artifact, options):
    from camelid_echo.backend import EchoModel
    class Model(EchoModel):
        @property
        def facts(self):
            less = super().facts.capabilities - {Capability.EMBEDDING, Capability.LOGPROBS}
            return msgspec.structs.replace(super().facts, capabilities=less)
    return Model(artifact, options)
"""
    run = run_kit(mistake, cases="declared_is or logprobs_are or order_is")
    assert "`camelid_embedder` returned a EchoEmbedder" in run.texts[DECLARED]
    assert "the model does not declare 'embedding'" in run.texts[DECLARED]
    assert "4 refused" in run.output
    assert "REFUSED test_it.py::TestIt::test_order_is_kept[direct]" in run.output


def test_logits_of_the_wrong_shape(run_kit):
    mistake = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoDecoder
    class Wrong(EchoDecoder):
        def feed(self, tokens): return super().feed(tokens)[None, :]
    return Wrong(model)
"""
    run = run_kit(mistake, cases="float32")
    (text,) = run.texts.values()
    assert "expected the shape (260,); came (1, 260)" in text
    assert "look at `Decoder.feed` or `BatchDecoder.logits`" in run.output


def test_a_trim_that_forgets_nothing(run_kit):
    mistake = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoDecoder
    class Wrong(EchoDecoder):
        def trim(self, length): return True
    return Wrong(model)
"""
    assert run_kit(mistake, cases="forgotten").outcomes == {"test_trimmed_tokens_are_forgotten": "failure"}


def test_vectors_of_the_wrong_shape(run_kit):
    mistake = """
@hookimpl
def camelid_embedder(model):
    from camelid_echo.backend import EchoEmbedder
    class Wrong(EchoEmbedder):
        def embed(self, inputs): return super().embed(inputs)[:, 1:]
    return Wrong(model)
"""
    run = run_kit(mistake, cases="promised_shape")
    assert run.outcomes.keys() == {f"test_vectors_have_the_promised_shape[{place}]" for place in ("direct", "worker")}
    assert all("reason: shape (3, 259), not (3, 260)" in text for text in run.texts.values())


def test_adapters_that_are_declared_but_ignored(run_kit):
    mistake = """
@hookimpl
def camelid_load_model(artifact, options):
    from camelid_echo.backend import EchoModel
    class Model(EchoModel):
        @property
        def facts(self):
            more = super().facts.capabilities | {Capability.ADAPTERS}
            return msgspec.structs.replace(super().facts, capabilities=more)
    return Model(artifact, options)
"""
    adapter = "    def make_adapter(self, folder): return folder / 'adapter'\n"
    run = run_kit(mistake, suite=adapter, cases="model_says")
    assert run.outcomes == {"test_an_adapter_changes_what_the_model_says": "failure"}
    assert "Proves that adapters are applied" in run.output


def test_an_exception_is_shown_with_its_text(run_kit):
    mistake = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoDecoder
    class Wrong(EchoDecoder):
        def feed(self, tokens): raise RuntimeError("device error 700")
    return Wrong(model)
"""
    run = run_kit(mistake, cases="predict_is_exact")
    assert len(run.texts) == 2
    for text in run.texts.values():
        assert "the model's backend raised RuntimeError in my_plugin.py, line " in text
        assert "reason: RuntimeError: device error 700" in text
    assert "Proves that generation stops at the limit" in run.output


def test_a_backend_that_hangs_is_waited_for_once(run_kit):
    mistake = """
@hookimpl
def camelid_generator(model):
    import time
    from camelid_echo.tiers import EchoDecoder
    class Wrong(EchoDecoder):
        def feed(self, tokens): time.sleep(3600)
    return Wrong(model)
"""
    run = run_kit(mistake, suite="    patience = 4.0\n", cases="(predict_is_exact or repeatable) and worker")
    assert sorted(run.texts.values()) == [
        "TimeoutError: the backend 'mine' did nothing for 4 s (worker), in an earlier case",
        "TimeoutError: the backend 'mine' did nothing for 4 s (worker); the suite's `patience` is over",
    ]


def test_a_backend_that_prints_breaks_nothing_and_is_named(run_kit):
    mistake = """
@hookimpl
def camelid_generator(model):
    import ctypes, os
    from camelid_echo.tiers import EchoDecoder
    print("a library says hello")
    os.write(1, b"so do its system calls\\n")
    ctypes.CDLL(None).printf(b"and its C code, which is slow to say it\\n")
    return EchoDecoder(model)
"""
    run = run_kit(mistake, cases="predict_is_exact or standard_output")
    assert {case: outcome for case, outcome in run.outcomes.items() if outcome != "passed"} == {
        "test_standard_output_is_left_alone[direct]": "failure"
    }
    (text,) = run.texts.values()
    assert "expected nothing on standard output; came 'a library says hello" in text
    assert "so do its system calls" in text
    assert "and its C code" in text


def test_a_library_at_import_is_named(run_kit):
    run = run_kit("import numpy\n", cases="native")
    assert "numpy._core._multiarray_umath" in run.texts["test_importing_the_plugin_loads_no_native_library"]


def test_a_broken_plugin_is_told_from_a_missing_one(run_kit):
    run = run_kit("@hookimpl\ndef camelid_tokeniser(model): return None\n", cases="facts and worker")
    (text,) = run.texts.values()
    assert "no installed plugin registers the backend 'mine'; there are: " in text
    assert "the plugin 'mine' of my-plugin is broken: " in text
    assert "there is no hook camelid_tokeniser; camelid_tokenizer is meant?" in text
