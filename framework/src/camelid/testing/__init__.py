"""The conformance kit: proves that a backend keeps the promises of its descriptor.

The whole test file of a backend::

    class TestMine(BackendSuite):
        backend = "mine"

        def make_artifact(self, folder: Path) -> ModelArtifact:
            return ModelArtifact(name="tiny", format="gguf", files=(ModelFile(path=str(TINY)),))

and one line in its conftest: ``pytest_plugins = ["camelid.testing.plugin"]``. Most cases run twice, with the backend
in the tests' own process and in a real worker, and every case ends in one of five ways: PASS; REFUSED, a capability
that is not declared and is refused cleanly; XFAIL, named with its reason in ``expected_failures``, strictly; NOT RUN,
where the model is missing, an error with ``--camelid-strict``; FAIL, with what the case proves and where to look.
``--camelid-report FILE`` writes all of it as JSON.

``camelid check BACKEND --model MODEL`` runs the same cases on what is installed, without pytest. There a case that ends
the process, as native code can, has failed, and the others go on.

The model may have random weights: what is proven is that answers are the same where they have to be.
"""

from camelid.testing.backend import BackendSuite
from camelid.testing.outcomes import not_run

__all__ = ("BackendSuite", "not_run")
