"""The runner that needs no pytest: the same ends for the same reasons."""

import pytest

from camelid.errors import ModelError
from camelid.plugins.host import PluginHost
from camelid.testing import BackendSuite, not_run
from camelid.testing.backend import BackendSuite as Cases
from camelid.testing.outcomes import Outcome
from camelid.testing.report import verdicts
from camelid.testing.runner import run_suite
from camelid.types import Capability, ModelArtifact, ModelFile


class EchoSuite(BackendSuite):
    backend = "echo"

    def make_artifact(self, folder):
        path = folder / "model"
        path.write_text('{"camelid_backend": "echo"}')
        return ModelArtifact(name="echo", format="echo", files=(ModelFile(path=str(path)),))


@pytest.fixture(scope="module")
def plugins() -> PluginHost:
    return PluginHost.load(only={"echo"})


def test_each_variant_in_each_place_is_a_finding(plugins):
    findings = list(run_suite(EchoSuite(), plugins, only="text_survives"))
    assert len(findings) == 16
    assert {found.outcome for found in findings} == {Outcome.PASSED}
    assert findings[0].title.startswith("test_text_survives_the_round_trip[direct-The quick brown fox")
    assert findings[-1].variant.startswith("worker-")


def test_what_is_not_declared_is_refused(plugins):
    findings = list(run_suite(EchoSuite(), plugins, only="adapter"))
    assert [(found.needs, found.outcome) for found in findings] == [(Capability.ADAPTERS, Outcome.REFUSED)]


def test_expected_failures_are_strict(plugins):
    class Expecting(EchoSuite):
        expected_failures = {"test_vocabulary_sizes_agree": "issue 7"}  # noqa: RUF012 - a suite's attribute

    (found,) = run_suite(Expecting(), plugins, only="vocabulary_sizes")
    assert (found.outcome, found.reason) == (
        Outcome.FAILED,
        "it passed, though it was expected to fail: issue 7",
    )


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (None, Outcome.NOT_RUN, "no GPU"),
        (
            ModelError("it is broken", reason="a layer is missing", plugin="camelid-x"),
            Outcome.FAILED,
            "expected no error; came ModelError: it is broken (of camelid-x)\nreason: a layer is missing",
        ),
    ],
)
def test_a_model_that_cannot_be_made_ends_each_case(plugins, error, outcome, reason):
    class Without(EchoSuite):
        made = 0

        def make_artifact(self, folder):
            type(self).made += 1
            if error is None:
                not_run("no GPU")
            raise error

    findings = list(run_suite(Without(), plugins, only="vocabulary"))
    findings += list(run_suite(Without(), plugins, only="facts_are"))
    assert [(found.outcome, found.reason) for found in findings] == [(outcome, reason)] * 3
    assert Without.made == 2


def test_cases_are_all_of_them_once():
    cases = Cases.cases()
    assert len(cases) == len(set(cases))
    assert set(cases) == {name for name in dir(Cases) if name.startswith("test_")}
    assert cases[0] == "test_facts_are_plausible"


def test_a_verdict_takes_every_case(plugins):
    findings = list(run_suite(EchoSuite(), plugins, only="logprobs"))
    assert verdicts(findings) == ((Capability.LOGPROBS,), ())
