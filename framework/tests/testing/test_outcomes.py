"""What a suite may say, and how its cases end."""

from typing import ClassVar

import pytest

from camelid.testing import BackendSuite


def test_a_sound_backend_passes(run_kit):
    run = run_kit(cases="not concurrent and not broken_file and not beyond_declared and not among")
    assert run.texts == {}
    assert len(run.outcomes) > 60


def test_a_model_of_random_weights_passes(run_kit):
    """What it says is no UTF-8 mostly, repeats nothing, and is the same each time."""
    random = """
@hookimpl
def camelid_generator(model):
    import numpy as np
    from camelid import Decoder
    class Random(Decoder):
        context_length = model.facts.context_length
        def __init__(self): self.tokens = []
        def reset(self): self.tokens.clear()
        def feed(self, tokens):
            self.tokens += tokens
            return np.random.default_rng(self.tokens[-9:]).normal(size=260).astype(np.float32)
    return Random()
"""
    run = run_kit(random, cases="is_sound or do_not_mix or stay_free or is_a_limit or kill")
    assert set(run.outcomes.values()) == {"passed"}, run.texts


def test_a_suite_without_a_model_says_so(run_kit):
    run = run_kit(suite="    make_artifact = BackendSuite.make_artifact\n", cases="facts and worker")
    (text,) = run.texts.values()
    assert "TestIt has no make_artifact(self, folder) that returns its model" in text


def test_a_suite_without_a_backend_says_so(run_kit):
    run = run_kit(suite="    del backend\n", cases="facts and worker")
    (text,) = run.texts.values()
    assert "TestIt does not say what it tests" in text


@pytest.mark.parametrize(("strict", "outcome"), [(False, "skipped"), (True, "error")])
def test_what_cannot_run_is_an_error_only_if_strict(run_kit, strict, outcome):
    suite = (
        "    def make_artifact(self, folder):\n        from camelid.testing import not_run\n        not_run('no GPU')\n"
    )
    run = run_kit(suite=suite, cases="facts and worker", strict=strict)
    assert list(run.outcomes.values()) == [outcome]
    assert "NOT RUN: no GPU" in run.output


def test_an_expected_failure_that_passes_is_a_failure(run_kit):
    suite = "    expected_failures = {'test_num_predict_is_exact': 'issue 7'}\n"
    run = run_kit(suite=suite, cases="predict_is_exact and worker")
    (text,) = run.texts.values()
    assert "XPASS(strict)" in text
    assert "issue 7" in text


def test_a_case_cannot_be_overridden():
    with pytest.raises(TypeError, match="overrides test_stream_is_sound: use expected_failures"):

        class TestMine(BackendSuite):
            def test_stream_is_sound(self):
                pass


def test_an_expected_failure_must_be_a_case():
    with pytest.raises(TypeError, match="do not exist: test_typo"):

        class TestMine(BackendSuite):
            expected_failures: ClassVar = {"test_typo": "never"}
