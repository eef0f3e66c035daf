"""Backends that declare what they cannot do, or that do it wrongly: the kit says which capability is not true."""

from camelid.testing.report import KitReport

_LIAR = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoBatchDecoder
    class Liar(EchoBatchDecoder):
        def copy_prefix(self, source, target, length):
            self._histories[target][:] = [7] * length
            return True
        def save(self, sequence): return b"much ado"
        def restore(self, sequence, state): pass
    return Liar(model)
"""

_SINGLE = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoDecoder
    return EchoDecoder(model)
"""

_MIXING = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoBatchDecoder
    class Mixing(EchoBatchDecoder):
        def decode(self, batch):
            super().decode(batch)
            if len(self._logits) > 1:
                last = list(self._logits)[-1]
                self._logits = {row: self._logits[last] for row in self._logits}
    return Mixing(model)
"""

_DEAF_ENGINE = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoEngine
    class Deaf(EchoEngine):
        def cancel(self, id): pass
    return Deaf(model)
"""


def test_prefixes_and_states_that_are_not_what_they_should_be(run_kit, tmp_path):
    run = run_kit(_LIAR, cases="a_copied_prefix or own_ways or restored_sequence or no_state")
    assert set(run.outcomes.values()) == {"failure"}
    copied = run.texts["test_a_copied_prefix_is_as_good_as_a_computed_one"]
    assert "expected the same logits after a copied prefix as after a computed one" in copied
    assert "expected the error CamelidError; came no error" in run.texts["test_what_is_no_state_is_refused"]
    (suite,) = KitReport.read(tmp_path / "kit.json").suites
    assert "the same logits after a copied" in suite.reasons["test_a_copied_prefix_is_as_good_as_a_computed_one"]


def test_capabilities_of_a_higher_tier_than_the_generators(run_kit):
    run = run_kit(_SINGLE, cases="advance_together or equals_its_sequences or a_copied_prefix or restored_sequence")
    assert set(run.outcomes.values()) == {"failure"}
    assert "each sequence began when another had ended" in run.texts["test_sequences_advance_together"]
    assert "the generator has no `save`" in run.texts["test_a_restored_sequence_goes_on_as_the_saved_one"]


def test_sequences_that_see_each_other(run_kit):
    run = run_kit(_MIXING, cases="equals_its_sequences")
    assert "expected the same logits for sequence 0 of 3 as alone" in "".join(run.texts.values())


def test_a_request_that_cannot_be_cancelled(run_kit):
    run = run_kit(_DEAF_ENGINE, cases="nothing_comes_of")
    assert "expected no event of a request that was cancelled" in "".join(run.texts.values())
