from pathlib import Path

from camelid.testing.outcomes import Outcome, needed
from camelid.testing.report import Finding, KitReport
from camelid.types.capabilities import Capability


def finding(case: str, outcome: str, *declared: Capability, suite: str = "TestIt") -> Finding:
    return Finding(suite, "mine", case, needed(case), Outcome(outcome), frozenset(declared))


def test_outcomes_of_several_places_are_put_together(tmp_path: Path):
    findings = [
        finding("test_facts_are_plausible", "passed", Capability.TOKENIZE),
        finding("test_a_given_answer_is_given", "refused", Capability.VISION, Capability.TOKENIZE),
        finding("test_a_given_answer_is_given", "refused", Capability.TOKENIZE),
        finding("test_facts_are_plausible", "failed", Capability.TOKENIZE),
        finding("test_facts_are_plausible", "passed", suite="TestAnother"),
    ]
    report = KitReport.of(findings)
    assert report.cases == {"test_a_given_answer_is_given": Capability.SCORING, "test_facts_are_plausible": None}
    another, it = report.suites
    assert (another.suite, another.declared) == ("TestAnother", [])
    assert it.declared == [Capability.TOKENIZE, Capability.VISION]
    assert it.outcomes == {"test_a_given_answer_is_given": "refused", "test_facts_are_plausible": "failed, passed"}
    path = tmp_path / "report.json"
    report.write(path)
    assert KitReport.read(path) == KitReport.of(reversed(findings)) == report


def test_a_run_tells_what_passed_was_refused_and_is_known_to_fail(run_kit, tmp_path: Path):
    mistake = """
@hookimpl
def camelid_generator(model):
    from camelid_echo.tiers import EchoEngine
    return EchoEngine(model)
"""
    known = "    expected_failures = {'test_same_seed_same_text': 'a test wants it'}\n"
    run_kit(mistake, suite=known, cases="(predict_is_exact or same_seed or given_answer) and direct")
    (suite,) = KitReport.read(tmp_path / "kit.json").suites
    assert (suite.suite, suite.backend) == ("TestIt", "mine")
    assert suite.outcomes["test_num_predict_is_exact"] == "passed"
    assert suite.outcomes["test_a_given_answer_is_given"] == "refused"
    # It works, so that its expected failure is one.
    assert suite.outcomes["test_same_seed_same_text"] == "failed"
